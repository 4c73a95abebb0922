import { createReadStream, createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { KeelsonError } from '../../errors/keelson-error.js';

/**
 * Takes programs out of a release archive (tar, gzip), whose digest has been checked.
 * @param members name of a program by its path in the archive
 * @param into an existing folder; each program is written there under its name
 * @throws KeelsonError BUNDLE where one is not in it
 */
export async function unpackPrograms(
  archive: string,
  members: ReadonlyMap<string, string>,
  into: string,
): Promise<void> {
  const open = new Set(members.values());
  const tar = extract();
  const reading = pipeline(createReadStream(archive), createGunzip(), tar);
  // Reported below; it must not count as unhandled before.
  reading.catch(() => undefined);
  try {
    for await (const entry of tar) {
      const name =
        entry.header.type === 'file' ? members.get(entry.header.name.replace(/^\.\//, '')) : undefined;
      if (name === undefined) entry.resume();
      else {
        const temporary = join(into, `.${name}.part`);
        await pipeline(entry, createWriteStream(temporary, { mode: 0o755 }));
        await rename(temporary, join(into, name));
        open.delete(name);
      }
    }
    await reading;
  } catch (cause) {
    throw new KeelsonError('BUNDLE', `${archive}: can't be unpacked: ${(cause as Error).message}`, { cause });
  }
  if (open.size > 0)
    throw new KeelsonError('BUNDLE', `${archive}: has no ${[...open].join(', ')}`, {
      hint: 'the release has another layout than this keelson knows: report it, or choose another version',
    });
}
