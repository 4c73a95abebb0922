import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../../errors/keelson-error.js';
import { hashFile } from '../cache.js';
import { FILE_MODE, FILE_ROLES, FILE_TABLE } from '../file-table.js';
import type { BundleFile } from '../lock.js';
import { storeBlob } from '../store.js';
import { type Pull, smallFile, smallFileIfThere, storedFile } from './pull-context.js';
import { checkReleaseSignature } from './release-signature.js';
import type { UpstreamFile } from './sources.js';
import { unpackPrograms } from './unpack.js';

/** The checksum of a file in a text of them: alone, or in a line with its name. */
export function checksumIn(text: string, name: string): string | null {
  const alone = /^\s*([0-9a-f]{64})\s*$/.exec(text)?.[1];
  if (alone !== undefined) return alone;
  for (const line of text.split('\n')) {
    const [, sum, file] = /^([0-9a-f]{64}) [ *]?(?:.*\/)?([^/\s]+)\s*$/.exec(line) ?? [];
    if (file === name) return sum ?? null;
  }
  return null;
}

export interface PulledFile {
  /** Of what was downloaded. */
  sha256: string;
  files: BundleFile[];
}

/** Downloads a file of a release and takes its programs out of it. */
export async function pullFile(pull: Pull, source: UpstreamFile): Promise<PulledFile> {
  const { component, version, url, checksumUrl, programs } = source;
  const started = performance.now();
  const name = url.split('/').at(-1) ?? '';
  const sha256 = checksumIn(await smallFile(pull, checksumUrl), name);
  if (sha256 === null)
    throw new KeelsonError('BUNDLE', `${checksumUrl}: has no checksum of ${name}`, {
      hint: 'name another server with --mirrors',
    });
  const { file, there } = await storedFile(pull, url, sha256);
  if (source.signed === true) await checkSignature(pull, url, file);
  const files = Object.values(programs).includes('')
    ? [{ name: Object.keys(programs)[0] ?? '', ...(await hashFile(file)) }]
    : await unpacked(pull, file, sha256, programs);
  const seconds = (performance.now() - started) / 1000;
  pull.onEvent?.({
    kind: 'component',
    name: component,
    version,
    state: there ? 'cached' : 'finished',
    seconds,
  });
  return {
    sha256,
    files: files.map((program) => {
      const path = FILE_TABLE.find((row) => row.name === program.name)?.path ?? '';
      return {
        name: program.name,
        path,
        mode: FILE_MODE,
        sha256: program.sha256,
        size: program.size,
        version,
        roles: [...FILE_ROLES],
      };
    }),
  };
}

/** Checks a file by the signature that is published with it. */
async function checkSignature(pull: Pull, url: string, file: string): Promise<void> {
  const [signature, certificate] = await Promise.all(
    ['sig', 'cert'].map((suffix) => smallFileIfThere(pull, `${url}.${suffix}`)),
  );
  const { signatureAuthorities: authorities } = pull;
  if (typeof signature === 'string' && typeof certificate === 'string')
    return checkReleaseSignature(
      file,
      url,
      { signature, certificate },
      authorities === undefined ? {} : { authorities },
    );
  if (pull.requireSignatures !== true && typeof signature !== 'string') {
    pull.onEvent?.({ kind: 'unsigned', url });
    return;
  }
  throw new KeelsonError('BUNDLE', `${url}: its signature is not there`, {
    hint: 'name a mirror that has .sig and .cert beside the programs, or go without --require-signatures',
  });
}

/** Programs of an archive, each in the store under its own digest. */
async function unpacked(pull: Pull, archive: string, sha256: string, programs: UpstreamFile['programs']) {
  const folder = join(pull.store, `${sha256}.unpacked`);
  await mkdir(folder, { recursive: true });
  try {
    const members = new Map(Object.entries(programs).map(([name, member]) => [member, name]));
    await unpackPrograms(archive, members, folder);
    const files = [];
    for (const name of Object.keys(programs)) {
      const { sha256: own, size } = await hashFile(join(folder, name));
      await storeBlob(pull.store, { file: join(folder, name), sha256: own, size }, 0o555);
      files.push({ name, sha256: own, size });
    }
    return files;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
