import type { Duplex, Readable } from 'node:stream';

/** How a command ended. Only `exited` has an exit code. */
export type Ending = 'exited' | 'signalled' | 'timed-out' | 'aborted';

export interface ExecOptions {
  /**
   * Bytes for stdin; secrets go here and never into argv. Of an iterable that is no Readable, a chunk's memory is
   * read only until the next chunk is asked for.
   */
  stdin?: Buffer | string | Readable | AsyncIterable<Buffer>;
  /** Environment, set by `env` on the remote side (sshd drops the protocol's own). */
  env?: Readonly<Record<string, string>>;
  /** Milliseconds until the command is given up; default 60,000. 0 is no limit. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Exit codes that are no failure; default [0]. 'any' accepts every code of an exited command. */
  acceptCodes?: readonly number[] | 'any';
  /** Values masked in the result's command and in errors. */
  secrets?: readonly string[];
  /** Output kept of each of stdout and stderr, in bytes; default 16 MiB; the rest is counted as truncated. */
  maxOutputBytes?: number;
  /** Sees stdout while it comes, in pieces as they come. */
  onStdout?: (chunk: Buffer) => void;
}

/** Success and failure share this shape. */
export interface ExecResult {
  /** Name of the host in the inventory. */
  host: string;
  /** The command as a person would type it, secrets masked. */
  command: string;
  ending: Ending;
  /** Exit code; null unless `ending` is `exited`. */
  code: number | null;
  stdout: Buffer;
  stderr: Buffer;
  truncated: boolean;
  durationMs: number;
}

/** A file to be put on a host. `content` is bytes, or a local file (for large binaries and image layers). */
export interface FileSpec {
  /** Absolute path on the host. */
  path: string;
  content: Buffer | { localPath: string; size: number; sha256: string };
  /** Permission bits, for example 0o600. */
  mode: number;
  /** `user:group`; default `root:root` where the host is privileged. */
  owner?: string;
  /** Mode of parent directories that have to be made; default 0o755. */
  dirMode?: number;
}

/** What stands at a path. `content` only for regular files up to the asked limit. */
export interface FileState {
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'other' | 'missing';
  mode: number;
  owner: string;
  size: number;
  /** Modification time, seconds since the epoch with fraction as the host prints it. */
  mtime: string;
  /** sha256 in hex, of regular files, when content was asked for. */
  sha256?: string;
  content?: Buffer;
}

/** What a reader may be asked about in one round trip. */
export interface ReadRequest {
  /** Files whose content is wanted (up to 1 MiB each). */
  files?: readonly string[];
  /** Paths of which only type, mode, owner, size and mtime are wanted (large binaries). */
  stats?: readonly string[];
  /** systemd units whose state is wanted. */
  units?: readonly string[];
  /** Named read-only shell snippets (POSIX sh); each result has its stdout and exit code. */
  probes?: Readonly<Record<string, string>>;
}

export interface UnitState {
  unit: string;
  /** LoadState: loaded, not-found, masked, … */
  load: string;
  /** ActiveState: active, inactive, failed, activating, … */
  active: string;
  sub: string;
  /** UnitFileState: enabled, disabled, static, … */
  enabled: string;
}

export interface ReadResult {
  files: ReadonlyMap<string, FileState>;
  units: ReadonlyMap<string, UnitState>;
  probes: ReadonlyMap<string, { code: number; stdout: string }>;
}

export interface HostFacts {
  hostname: string;
  /** From /etc/os-release. */
  os: { id: string; versionId: string; prettyName: string };
  kernel: string;
  /** As `uname -m`: x86_64, aarch64. */
  architecture: string;
  /** 1 (legacy or hybrid) or 2 (unified). */
  cgroupVersion: 1 | 2;
  /** systemd's version, 0 where there is none. */
  systemd: number;
  machineId: string;
  /** DMI product_uuid, '' where the host has none. */
  productUuid: string;
  cpus: number;
  memoryBytes: number;
  swapBytes: number;
  /** Host's clock minus this machine's clock, milliseconds; the error is half of `roundTripMs`. */
  clockSkewMs: number;
  roundTripMs: number;
  /** Global-scope addresses by interface. */
  addresses: readonly { interface: string; address: string; prefix: number; mtu: number }[];
  /** Interface and source address of the default route, if there is one. */
  defaultRoute: { interface: string; address: string } | null;
  /** uid of the connected user. */
  uid: number;
}

/** A view of a host that cannot change it: dry runs get this type. */
export interface HostReader {
  /** Name in the inventory. */
  readonly name: string;
  /** Runs a command that changes nothing. */
  query(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Everything asked for in one round trip. */
  read(request: ReadRequest, options?: { signal?: AbortSignal; timeoutMs?: number }): Promise<ReadResult>;
  /** Facts, in one round trip, measured once a connection. */
  facts(): Promise<HostFacts>;
  /** A raw byte stream to `address:port` as the host sees it (ssh direct-tcpip). */
  forward(address: string, port: number): Promise<Duplex>;
}

/** A named POSIX sh script fed on stdin (`sh -s -- ARGS`), so that nothing of it is in argv. */
interface Script {
  /** For logs and errors, for example `containerd/import-images`. */
  name: string;
  text: string;
  args?: readonly string[];
}

export interface Host extends HostReader {
  /** Runs argv; rejects with REMOTE_COMMAND unless it exits with an accepted code. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Runs a script by its name; same failure rule as `exec`. */
  script(script: Script, options?: Omit<ExecOptions, 'stdin'> & { stdin?: never }): Promise<ExecResult>;
  /**
   * Puts all files in one stream: each to a 0600 temporary in the same directory, digest checked, owner and
   * mode set, renamed. Files whose digest, mode and owner are equal are not sent.
   * @returns paths that were written
   */
  put(
    files: readonly FileSpec[],
    options?: {
      signal?: AbortSignal;
      /** Bytes that went out. */
      onBytes?: (bytes: number) => void;
      /** Send them as gzip, for slow links; the host needs gzip too. */
      compress?: boolean;
    },
  ): Promise<string[]>;
  /** Removes files or directories (recursively, never across mounts); missing ones are no error. */
  remove(paths: readonly string[]): Promise<void>;
  service(
    action: 'start' | 'stop' | 'restart' | 'reload' | 'enable' | 'disable' | 'daemon-reload',
    unit?: string,
  ): Promise<void>;
  /** The same host with root's rights: itself for uid 0, else through `sudo`. */
  asRoot(): Host;
  close(): Promise<void>;
}
