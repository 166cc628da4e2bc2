// deno-lint-ignore-file no-console -- how it answers
import process from "node:process";
import { connectTls } from "@reprise/tls";
import { resume } from "./resume.mjs";

const visits = await resume(connectTls, JSON.parse(process.argv.at(-1)));
console.log(JSON.stringify({ visits }));
