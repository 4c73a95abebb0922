import { z } from 'zod';
import { KeelsonError } from '../errors/keelson-error.js';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');
const size = z.int().nonnegative();
const role = z.enum(['control-plane', 'worker']);

const lockSchema = z.strictObject({
  formatVersion: z.literal(1),
  kubernetesVersion: z.string().regex(/^v\d+\.\d+\.\d+/, 'expected a version such as v1.36.3'),
  architecture: z.literal('amd64'),
  source: z.literal('modules'),
  toolchain: z.strictObject({ go: z.string(), gcc: z.string() }),
  components: z.array(
    z.strictObject({ name: z.string(), version: z.string(), module: z.string(), sum: z.string() }),
  ),
  packages: z.array(z.strictObject({ name: z.string(), version: z.string(), sha256 })),
  files: z.array(
    z.strictObject({
      name: z.string(),
      path: z.string().startsWith('/'),
      mode: z.int().nonnegative(),
      sha256,
      size,
      version: z.string(),
      roles: z.array(role).min(1),
    }),
  ),
  images: z.array(
    z.strictObject({
      name: z.string(),
      reference: z.string(),
      digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256:<64 hex digits>'),
      size,
      blobs: z.array(z.strictObject({ sha256, size, mediaType: z.string() })).min(1),
      roles: z.array(role).min(1),
    }),
  ),
});

/** What `bundle.lock.json` says. Modes are permission bits as a number, sizes are bytes. */
export type BundleLock = z.infer<typeof lockSchema>;

/** A file for a host: the blob `sha256` goes to `path` with `mode`. */
export type BundleFile = BundleLock['files'][number];

/**
 * An OCI image. `digest` and `size` are those of its manifest; `blobs` lists everything that an import needs:
 * the manifest first, then the configuration, then the layers, lowest first.
 */
export type BundleImage = BundleLock['images'][number];

/** Which hosts get a file or an image. */
export type BundleRole = z.infer<typeof role>;

/** Name of the lock file within a bundle directory. */
export const LOCK_FILE = 'bundle.lock.json';

const REMEDY = 'build it again with `keelson bundle build`, or copy the bundle once more';

/**
 * The lock file's text as data.
 * @param place path of the file, for errors
 * @throws KeelsonError BUNDLE: no JSON, another format version, or fields that don't fit, named by their path
 */
export function parseLock(text: string, place: string): BundleLock {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    throw new KeelsonError('BUNDLE', `${place}: is no JSON: ${(cause as Error).message}`, {
      hint: REMEDY,
      cause,
    });
  }
  const version = (data as { formatVersion?: unknown } | null)?.formatVersion;
  if (typeof version === 'number' && version > 1) {
    throw new KeelsonError(
      'BUNDLE',
      `${place}: format version ${version} is newer than this keelson reads (1)`,
      {
        hint: 'update keelson, or build the bundle with this version',
      },
    );
  }
  const parsed = lockSchema.safeParse(data);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}`);
  throw new KeelsonError('BUNDLE', `${place}: ${issues[0] ?? 'does not fit the format'}`, {
    hint: REMEDY,
    details: issues,
  });
}

/** The lock as text: stable key order as given, two spaces, newline at the end. */
export function renderLock(lock: BundleLock): string {
  return `${JSON.stringify(lock, null, 2)}\n`;
}
