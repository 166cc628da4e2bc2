/** Options as the exports of a module. */

import { PIN_A } from "../context/pem.ts";
import { caCert } from "../testdata/mod.ts";

export const hostname = "localhost";
export const caCerts = [caCert("ec")];
export const pinnedKeys = [PIN_A];
