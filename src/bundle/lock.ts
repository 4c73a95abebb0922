import { z } from 'zod';
import { KeelsonError } from '../errors/keelson-error.js';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');
const size = z.int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const role = z.enum(['control-plane', 'worker']);
/** Names and versions become parts of messages, paths and arguments: no spaces, no leading dash, no slash. */
const word = z.string().regex(/^[\w][\w.+:~-]{0,127}$/, 'expected letters, digits and . _ + : ~ -');

/** Folders in which a bundle may place programs; whatever else it named would be an attack. */
const PROGRAM_FOLDERS = ['/usr/bin/', '/usr/local/bin/', '/usr/local/sbin/', '/opt/cni/bin/'] as const;

const path = z.string().refine(
  (value) => {
    const folder = PROGRAM_FOLDERS.find((known) => value.startsWith(known));
    return folder !== undefined && /^[\w][\w.+-]{0,127}$/.test(value.slice(folder.length));
  },
  `expected a program directly in ${PROGRAM_FOLDERS.join(', ')}`,
);

/** Permission bits alone, so no setuid, setgid or sticky bit; only root may write. */
const mode = z
  .int()
  .refine(
    (value) => (value & ~0o755) === 0 && (value & 0o444) === 0o444,
    'expected permission bits such as 493 (0755), writable by the owner only',
  );

/** A fully qualified reference with a tag: `registry.k8s.io/pause:3.10.2`. */
const reference = z
  .string()
  .max(255)
  .regex(
    /^[a-z0-9][a-z0-9.-]*(?::\d+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+:[\w][\w.-]{0,127}$/,
    'expected registry/repository:tag',
  );

/** What a bundle has for hosts of one architecture. */
const payload = {
  architecture: z.enum(['amd64', 'arm64']),
  components: z.array(z.strictObject({ name: word, version: word, module: z.string(), sum: z.string() })),
  /** Packages that hosts of a distribution (`debian-12`) may lack, for those that reach no repository. */
  hostPackages: z.array(z.strictObject({ name: word, version: word, os: word, sha256, size })).optional(),
  /** Programs for the operator's machine; no host gets them. */
  tools: z.array(z.strictObject({ name: word, version: word, sha256, size })).optional(),
  files: unique(
    ['name', 'path'],
    z.strictObject({ name: word, path, mode, sha256, size, version: word, roles: z.array(role).min(1) }),
  ),
  images: unique(
    ['name', 'reference'],
    z
      .strictObject({
        name: word,
        reference,
        digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256:<64 hex digits>'),
        size,
        blobs: z.array(z.strictObject({ sha256, size, mediaType: z.string() })).min(2),
        roles: z.array(role).min(1),
      })
      .refine(
        ({ digest, size: bytes, blobs: [manifest] }) =>
          digest === `sha256:${manifest?.sha256}` && bytes === manifest?.size,
        'the first blob is not the manifest that digest and size name',
      ),
  ),
};

const lockSchema = z
  .strictObject({
    formatVersion: z.literal(1),
    kubernetesVersion: z.string().regex(/^v\d+\.\d+\.\d+/, 'expected a version such as v1.36.3'),
    architecture: payload.architecture,
    source: z.enum(['modules', 'upstream']),
    toolchain: z.strictObject({ go: z.string(), gcc: z.string() }),
    components: payload.components,
    packages: z.array(z.strictObject({ name: word, version: word, sha256 })),
    hostPackages: payload.hostPackages,
    tools: payload.tools,
    /** `host`: images are not in the bundle, hosts pull them by these digests. */
    imagesBy: z.literal('host').optional(),
    files: payload.files,
    images: payload.images,
    /** Manifests of a cluster file's network and add-ons, by the address that it names. */
    manifests: unique(
      ['sha256'],
      z.strictObject({
        url: z
          .string()
          .max(2048)
          .regex(/^https?:\/\/\S+$/, 'expected a URL'),
        sha256,
        size,
      }),
    ).optional(),
    /** The same of further architectures. */
    others: unique(['architecture'], z.strictObject(payload)).optional(),
  })
  .refine(
    ({ architecture, others = [] }) => others.every((other) => other.architecture !== architecture),
    'one architecture is there twice',
  );

/** A list in which no two entries agree in one of these fields. */
function unique<T extends z.ZodType<object>>(fields: readonly string[], entry: T) {
  return z.array(entry).superRefine((entries, context) => {
    for (const field of fields) {
      const seen = new Set<unknown>();
      for (const [index, one] of entries.entries()) {
        const value = (one as Record<string, unknown>)[field];
        if (seen.has(value)) {
          context.addIssue({
            code: 'custom',
            path: [index, field],
            message: `${String(value)} is there twice`,
          });
        }
        seen.add(value);
      }
    }
  });
}

/** What `bundle.lock.json` says. Modes are permission bits as a number, sizes are bytes. */
export type BundleLock = z.infer<typeof lockSchema>;

/** A file for a host: the blob `sha256` goes to `path` with `mode`. */
export type BundleFile = BundleLock['files'][number];

/**
 * An OCI image. `digest` and `size` are those of its manifest; `blobs` lists everything that an import needs:
 * the manifest first, then the configuration, then the layers, lowest first.
 */
export type BundleImage = BundleLock['images'][number];

/** A package of a host's distribution. */
export type HostPackage = NonNullable<BundleLock['hostPackages']>[number];

/** A lock as hosts of each of its architectures have it: nothing of others is in it. The main one is the first. */
export function locksByArchitecture({ others = [], ...main }: BundleLock): BundleLock[] {
  const { hostPackages: _packages, tools: _tools, ...common } = main;
  return [main, ...others.map((other) => ({ ...common, ...other }))];
}

/** Architectures that a bundle is for, its main one first. */
export function architecturesOf(lock: BundleLock): Architecture[] {
  return locksByArchitecture(lock).map(({ architecture }) => architecture);
}

/** What of a lock is a file of its own: programs for hosts and operators and host packages of all architectures, manifests. */
export function plainFiles(lock: BundleLock): readonly { name: string; sha256: string; size: number }[] {
  const { manifests = [] } = lock;
  return [
    ...locksByArchitecture(lock).flatMap(({ files, tools = [], hostPackages = [] }) => [
      ...files,
      ...tools,
      ...hostPackages,
    ]),
    ...manifests.map(({ url, sha256, size }) => ({ name: url, sha256, size })),
  ];
}

/** Which hosts get a file or an image. */
export type BundleRole = z.infer<typeof role>;

/** Images whose blobs are in the bundle, of all architectures. */
export function carriedImages(lock: BundleLock): BundleImage[] {
  return lock.imagesBy === 'host' ? [] : locksByArchitecture(lock).flatMap(({ images }) => images);
}

/** Architectures that a bundle can be for, as Go and OCI name them. */
export type Architecture = BundleLock['architecture'];

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
