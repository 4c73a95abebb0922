import { resolve } from 'node:path';
import {
  controlPlanes,
  hostNamed,
  matchHosts,
  presentHosts,
  statedArchitectures,
} from '../config/inventory.js';
import { loadClusterConfig } from '../config/load.js';
import type { ClusterConfig } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { ConnectOptions } from '../host/settings.js';
import { generateCertificateKey, parseCertificateKey } from '../join/certificate-key.js';
import type { AuthorityKey } from '../phases/trust-store.js';
import type { Reporter } from '../report/lines.js';
import { reporterFor } from '../report/reporter.js';
import { ownerOf } from '../workflows/lock.js';
import type { Session } from '../workflows/session.js';
import { cacheDir } from './cache.js';
import type { CliIO, GlobalOptions } from './command.js';

/** Options of every command that works on a cluster's hosts. */
export const CLUSTER_OPTIONS = {
  config: {
    flags: '-c, --config <file>',
    description: 'the cluster file',
    kind: 'string',
    default: 'cluster.yaml',
  },
  acceptNewHostKeys: {
    flags: '--accept-new-host-keys',
    description: 'add the keys of unknown hosts to known_hosts (a changed key stays an error)',
    kind: 'boolean',
  },
  askSudoPassword: {
    flags: '--ask-sudo-password',
    description: 'ask for the password that sudo wants on the hosts',
    kind: 'boolean',
  },
} as const;

/** Option of commands that take binaries and images to hosts. */
export const BUNDLE_OPTION = {
  bundle: {
    flags: '--bundle <path>',
    description: 'directory or file of the bundle (default spec.bundle)',
    kind: 'string',
  },
} as const;

/** Option of every command that runs preflight. */
export const PREFLIGHT_OPTIONS = {
  ignorePreflightErrors: {
    flags: '--ignore-preflight-errors <names>',
    description: 'checks whose errors are warnings; all for every one',
    kind: 'list',
  },
} as const;

/** Options of commands that upload certificates for kubeadm, as kubeadm has them. */
export const UPLOAD_OPTIONS = {
  uploadCerts: {
    flags: '--upload-certs',
    description:
      'upload what control planes share, encrypted, for kubeadm join --control-plane; gone after two hours',
    kind: 'boolean',
  },
  certificateKey: {
    flags: '--certificate-key <key>',
    description: 'key that the uploaded certificates are encrypted with (default a new one)',
    kind: 'string',
  },
  skipCertificateKeyPrint: {
    flags: '--skip-certificate-key-print',
    description: 'do not print that key',
    kind: 'boolean',
  },
} as const;

/** @throws USAGE for options of an upload that was not asked for */
export function requireUpload(values: {
  uploadCerts: boolean;
  certificateKey: string | undefined;
  skipCertificateKeyPrint: boolean;
}): void {
  if (values.uploadCerts || (values.certificateKey === undefined && !values.skipCertificateKeyPrint)) return;
  throw new KeelsonError(
    'USAGE',
    '--certificate-key and --skip-certificate-key-print are for --upload-certs',
    {
      hint: 'give --upload-certs too, or leave them out',
    },
  );
}

/**
 * The key to upload certificates with: given, from InitConfiguration, or a new one.
 * @throws USAGE for a malformed key
 */
export function certificateKeyOf(given: string | undefined, config: ClusterConfig): string {
  const key = given ?? config.init.certificateKey ?? generateCertificateKey();
  parseCertificateKey(key);
  return key;
}

interface ClusterValues {
  config: string;
  acceptNewHostKeys: boolean;
  askSudoPassword: boolean;
}

export { ownerOf };

/**
 * The hosts that `--host` names, by themselves or by patterns (`w[01-20]`, `w*`); none where it was not given.
 * @throws USAGE for a host that the file has not, or that is to be removed
 */
export function hostSelection(
  names: readonly string[],
  config: ClusterConfig,
): { hosts?: readonly string[] } {
  if (names.length === 0) return {};
  const wanted = matchHosts(config, names);
  for (const name of wanted) {
    if (hostNamed(config, name).state === 'absent') {
      throw new KeelsonError('USAGE', `${name} is to be removed: its state is absent`, {
        hint: 'set its state to present in the cluster file',
      });
    }
  }
  return { hosts: wanted };
}

/** The cluster file that a command names. */
export async function clusterConfig(file: string, io: CliIO): Promise<ClusterConfig> {
  return loadClusterConfig(resolve(io.cwd, file), { homeDir: io.home, env: io.env });
}

/** How to log in, with prompts answered on the terminal and remembered for the run. */
function connectOptions(values: ClusterValues, io: CliIO): Omit<ConnectOptions, 'signal'> {
  const passphrases = new Map<string, Promise<string>>();
  let password: Promise<string> | undefined;
  return {
    acceptNewHostKeys: values.acceptNewHostKeys,
    ...(io.env.SSH_AUTH_SOCK === undefined ? {} : { agentSocket: io.env.SSH_AUTH_SOCK }),
    passphrase: (file) => {
      const known =
        passphrases.get(file) ??
        io.askSecret(`passphrase of ${file}`, `run ssh-add ${file} first, so that the agent signs`);
      passphrases.set(file, known);
      return known;
    },
    ...(values.askSudoPassword
      ? {
          sudoPassword: () => {
            password ??= io.askSecret(
              'sudo password',
              'let the user run everything without a password there (NOPASSWD: ALL)',
            );
            return password;
          },
        }
      : {}),
    onEvent: (event) => {
      if (event.type === 'host-key-accepted') {
        io.stderr.write(
          `keelson: WARNING: ${event.host}: accepted new host key ${event.keyType} ${event.fingerprint} of ${event.address}, written to ${event.file}\n`,
        );
      } else if (event.type === 'slow') {
        const [waited, limit] = [event.waitedMs, event.limitMs].map((ms) => Math.round(ms / 1000));
        io.stderr.write(
          `keelson: ${event.host}: waiting for ${event.awaited}: nothing for ${waited} s, at most ${limit} s\n`,
        );
      } else {
        io.stderr.write(`keelson: ${event.host}: not tried for the login: ${event.reason}\n`);
      }
    },
  };
}

export interface Work {
  config: ClusterConfig;
  session: Session;
  reporter: Reporter;
}

/** Logins and proxies of this machine, for what is fetched from here. */
async function onlineOptions(io: CliIO) {
  const { webOptions } = await import('./web-options.js');
  const { saved, web } = await webOptions(undefined, io);
  return { saved, web };
}

/** The configuration with another bundle; which key has to have signed it stays. */
export function withBundle(config: ClusterConfig, path: string | undefined, io: CliIO): ClusterConfig {
  if (path === undefined) return config;
  return { ...config, spec: { ...config.spec, bundle: resolve(io.cwd, path) } };
}

/** With a bundle in any case: where the file names none, one is chosen. */
async function withChosenBundle(
  config: ClusterConfig,
  { obtainBundle }: { obtainBundle?: boolean },
  io: CliIO,
  global: GlobalOptions,
): Promise<ClusterConfig> {
  if (config.spec.bundle !== null) return config;
  const { chooseBundle } = await import('./choose-bundle.js');
  const stated = statedArchitectures(config);
  const choice = {
    kubernetesVersion: config.cluster.kubernetesVersion,
    architectures: stated.length === 0 ? (['amd64'] as const) : stated,
    mirrors: config.spec.mirrors,
    atHand: obtainBundle !== true,
  } as const;
  const { dir } = await chooseBundle(choice, io, global);
  return { ...config, spec: { ...config.spec, bundle: dir } };
}

/** Session of work on etcd's data: of control planes, as many of them as answer. */
export const onControlPlanes = (config: ClusterConfig) => ({
  config,
  bundleOptional: true,
  tolerant: true,
  hosts: controlPlanes(config).map(({ name }) => name),
});

/** What a session needs of a command's invocation. */
interface Call {
  options: ClusterValues;
  io: CliIO;
  global: GlobalOptions;
}

/** Opens a session with a reporter, does the work, closes both. */
export async function withSession<T>(
  { options: values, io, global }: Call,
  work: (work: Work) => Promise<T>,
  options: {
    config?: ClusterConfig;
    quiet?: boolean;
    hosts?: readonly string[];
    tolerant?: boolean;
    bundleOptional?: boolean;
    certificateKey?: string;
    authorityKeys?: readonly AuthorityKey[];
    bundle?: string | undefined;
    /** Where no bundle is named, one is fetched or built; else one at hand is all that is looked for. */
    obtainBundle?: boolean;
  } = {},
): Promise<T> {
  const named = withBundle(options.config ?? (await clusterConfig(values.config, io)), options.bundle, io);
  const config = options.bundleOptional === true ? named : await withChosenBundle(named, options, io, global);
  for (const note of config.notes) io.stderr.write(`keelson: ${note}\n`);
  const { openSession } = await import('../workflows/session.js');
  const reporter = await reporterFor({
    format: global.logFormat,
    verbose: global.verbose,
    live: global.color && options.quiet !== true,
    hosts: presentHosts(config).map((host) => host.name),
    stream: io.stderr,
    quiet: options.quiet === true,
  });
  try {
    const session = await openSession({
      config,
      connect: connectOptions(values, io),
      onEvent: reporter.event,
      signal: io.abort,
      ...(options.hosts === undefined ? {} : { hosts: options.hosts }),
      ...(options.tolerant === undefined ? {} : { tolerant: options.tolerant }),
      ...(options.bundleOptional === undefined ? {} : { bundleOptional: options.bundleOptional }),
      ...(options.authorityKeys === undefined ? {} : { authorityKeys: options.authorityKeys }),
      ...(options.certificateKey === undefined ? {} : { certificateKey: options.certificateKey }),
      bundleCache: cacheDir(io),
      ...(config.spec.bundle === 'online' ? await onlineOptions(io) : {}),
    });
    try {
      return await work({ config, session, reporter });
    } finally {
      await session.close();
    }
  } finally {
    await reporter.close();
  }
}
