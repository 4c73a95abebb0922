import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type SnapshotContents, snapshotContents } from '../backup/contents.js';
import { writeNew } from '../backup/write-new.js';
import type { S3Client } from '../s3/client.js';
import { type S3Location, s3Folder, s3Text } from '../s3/location.js';
import { putNew } from '../s3/upload.js';

/** Where snapshots go. */
export interface SnapshotPlace {
  /**
   * Writes one that is there as a whole or not at all, and never in place of another; what `chunks` throws leaves
   * nothing behind. @returns its path or address
   */
  write: (name: string, chunks: AsyncIterable<Buffer>) => Promise<string>;
  /** What a plain one holds; null where it would have to be fetched again. */
  contents: (name: string) => Promise<SnapshotContents | null>;
  /** Names of everything that lies there. */
  names: () => Promise<string[]>;
  remove: (names: readonly string[]) => Promise<void>;
}

/** A directory on this machine, made where it is missing; files have mode 0600. */
export function directoryPlace(directory: string): SnapshotPlace {
  return {
    write: async (name, chunks) => {
      const file = join(directory, name);
      await writeNew(file, chunks);
      return file;
    },
    contents: (name) => snapshotContents(join(directory, name)),
    names: () => readdir(directory),
    remove: async (names) => {
      await Promise.all(names.map((name) => rm(join(directory, name))));
    },
  };
}

/** A prefix of a bucket. */
export function s3Place(client: S3Client, location: S3Location): SnapshotPlace {
  const { bucket, key: folder } = s3Folder(location);
  return {
    write: async (name, chunks) => {
      const key = `${folder}${name}`;
      await putNew(client, key, chunks);
      return s3Text({ bucket, key });
    },
    contents: async () => null,
    names: async () => (await client.list(folder)).map(({ key }) => key.slice(folder.length)),
    remove: async (names) => {
      for (const name of names) await client.remove(`${folder}${name}`);
    },
  };
}
