/**
 * A registry of npm packages on loopback that has one: ours. So `npm:` specifiers are tested as
 * they will be, and what ours depends on comes from where it always does.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { output } from "../npm.ts";
import { newFolder, type Packed, write } from "./project.ts";

/** A registry, until it is disposed. */
export interface Registry extends AsyncDisposable {
  /** For `.npmrc`: where packages of our scope come from. */
  npmrc: string;
  /** The name and version: `@reprise/tls@0.1.0`. */
  name: string;
}

/** Serves the package. */
export async function startRegistry({ tarball }: Packed): Promise<Registry> {
  const bytes = await Deno.readFile(tarball);
  const folder = await newFolder();
  await output(["tar", "xzf", tarball, "package/package.json"], { cwd: folder });
  const manifest = JSON.parse(await Deno.readTextFile(join(folder, "package/package.json")));
  const { name, version } = manifest;
  const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    if (url.endsWith(".tgz")) return new Response(bytes);
    if (decodeURIComponent(new URL(url).pathname) !== `/${name}`) {
      return new Response(null, { status: 404 });
    }
    const dist = { integrity, tarball: new URL("/package.tgz", url).href };
    return Response.json({
      name,
      "dist-tags": { latest: version },
      versions: { [version]: { ...manifest, dist } },
    });
  });
  return {
    npmrc: `${name.split("/")[0]}:registry=http://127.0.0.1:${server.addr.port}/\n`,
    name: `${name}@${version}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A project of Deno whose `npm:` specifiers find the package there. */
export async function newDenoProject({ npmrc }: Registry): Promise<string> {
  const folder = await newFolder();
  await write(folder, ".npmrc", npmrc);
  await write(folder, "deno.json", "{}");
  return folder;
}
