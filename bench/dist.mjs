// The build under test: dist/ of this repository, or the folder that KEELSON_DIST names.
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = resolve(process.env.KEELSON_DIST ?? `${ROOT}/dist`);

/** Path of the compiled command line. */
export const CLI = `${DIST}/bin/keelson.js`;

/** A compiled module by its path below src/. */
export const built = (path) => import(pathToFileURL(`${DIST}/src/${path}`).href);
