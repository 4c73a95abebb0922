import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import type { KeelsonError } from '../errors/keelson-error.js';
import type { Credentials, RegistryEndpoint } from './registry/client.js';
import { readYamlFile, refusedFile } from './yaml-file.js';

const address = z
  .string()
  .regex(/^https?:\/\/[^\s?#]+$/, 'expected https://host[:port][/path]')
  .transform((value) => value.replace(/\/+$/, ''));

const place = z.union([
  address.transform((url) => ({ url, ca: undefined, username: undefined, passwordFile: undefined })),
  z.strictObject({
    url: address,
    /** File with CA certificates in PEM. */
    ca: z.string().optional(),
    username: z.string().optional(),
    passwordFile: z.string().optional(),
  }),
]);

const schema = z.strictObject({
  files: z.record(address, place).optional(),
  registries: z
    .record(
      z.string().regex(/^[a-z0-9][a-z0-9.-]*(?::\d+)?$/, 'expected a registry such as registry.k8s.io'),
      place,
    )
    .optional(),
});

/** Where things are asked for in place of their official addresses. */
export interface Mirrors {
  /** By the beginning of the official address. */
  files: ReadonlyMap<string, Place>;
  /** By the registry in references. */
  registries: ReadonlyMap<string, Place>;
}

interface Place {
  url: string;
  caFile: string | null;
  credentials: Credentials | null;
}

export const NO_MIRRORS: Mirrors = { files: new Map(), registries: new Map() };

/**
 * Reads a mirrors file; paths in it start in its own folder.
 * @throws KeelsonError CONFIG naming the field that is wrong
 */
export async function readMirrors(file: string): Promise<Mirrors> {
  const refuse = (problem: string, cause?: unknown) => refusedFile(file, problem, cause);
  // An empty file names no mirror.
  const { files, registries } = (await readYamlFile(file, schema.nullable())) ?? {};
  const places = async (entries: Record<string, z.output<typeof place>> = {}) => {
    const result = new Map<string, Place>();
    for (const [key, value] of Object.entries(entries))
      result.set(key, await placeOf(value, dirname(file), refuse));
    return result;
  };
  return { files: await places(files), registries: await places(registries) };
}

async function placeOf(
  { url, ca, username, passwordFile }: z.output<typeof place>,
  folder: string,
  refuse: (problem: string, cause?: unknown) => KeelsonError,
): Promise<Place> {
  let credentials: Credentials | null = null;
  if (username !== undefined && passwordFile !== undefined) {
    const password = await readFile(resolve(folder, passwordFile), 'utf8').catch((cause: unknown) => {
      throw refuse(`${passwordFile} can't be read`, cause);
    });
    credentials = { username, password: password.replace(/\r?\n$/, '') };
  } else if (username !== undefined || passwordFile !== undefined) {
    throw refuse(`${url} has only one of username and passwordFile`);
  }
  return { url, caFile: ca === undefined ? null : resolve(folder, ca), credentials };
}

/** Where a file with an official address is asked for: the longest beginning that is known counts. */
export function mirroredFile(
  mirrors: Mirrors,
  official: string,
): { url: string; credentials: Credentials | null } {
  const [best] = [...mirrors.files]
    .filter(([start]) => official === start || official.startsWith(`${start}/`))
    .sort(([a], [b]) => b.length - a.length);
  if (best === undefined) return { url: official, credentials: null };
  return { url: `${best[1].url}${official.slice(best[0].length)}`, credentials: best[1].credentials };
}

/** Where the images of a registry are asked for. */
export function mirroredRegistry(
  mirrors: Mirrors,
  registry: string,
  saved: ReadonlyMap<string, Credentials>,
): RegistryEndpoint {
  // Docker Hub's images are served from another host than the one in references.
  const official = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const { url, credentials } = mirrors.registries.get(registry) ?? {
    url: `https://${official}`,
    credentials: null,
  };
  const login =
    saved.get(new URL(url).host) ?? (registry === 'docker.io' ? saved.get('index.docker.io') : undefined);
  return { url, credentials: credentials ?? login ?? null };
}

/** CA files by the origin that they are for. */
export function caFilesOf(mirrors: Mirrors): Map<string, string> {
  const files = new Map<string, string>();
  for (const { url, caFile } of [...mirrors.files.values(), ...mirrors.registries.values()])
    if (caFile !== null) files.set(new URL(url).origin, caFile);
  return files;
}
