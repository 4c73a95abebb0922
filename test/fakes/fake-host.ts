import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { KeelsonError } from '../../src/errors/keelson-error.js';
import { quote } from '../../src/host/quote.js';
import type { ExecOptions, ExecResult, FileState, Host, HostFacts, UnitState } from '../../src/host/types.js';

/** A host in memory. It proves orchestration (who is asked what, in which order), never commands. */
export interface FakeHost extends Host {
  readonly files: Map<string, FakeFile>;
  readonly units: Map<string, UnitState>;
  /** Everything that was asked, in order. */
  readonly calls: FakeCall[];
  /** Calls that change the host: what a dry run must not have. */
  mutations(): FakeCall[];
  /**
   * Says what a command answers; the last matching rule wins. `match` is the command line as `quote` writes
   * it, or a pattern of it; scripts are `<name> args`, probes `?name`.
   */
  on(match: string | RegExp, reply: FakeReply | ((command: string, options: ExecOptions) => FakeReply)): void;
  /** The nth operation from now (1 is the next) fails with this error, once. */
  failAt(nth: number, error: KeelsonError): void;
  /** Every operation from now on fails as on a lost connection. */
  drop(): void;
}

interface FakeFile {
  content: Buffer;
  mode: number;
  owner: string;
  type: 'file' | 'directory';
}

interface FakeCall {
  kind: 'exec' | 'query' | 'script' | 'read' | 'facts' | 'forward' | 'put' | 'remove' | 'service' | 'close';
  /** Command line, script name, or the paths or unit. */
  what: string;
  root: boolean;
}

interface FakeReply {
  code?: number;
  stdout?: string | Buffer;
  stderr?: string;
}

export interface FakeHostOptions {
  name?: string;
  files?: Record<string, string>;
  units?: Record<string, Partial<UnitState>>;
  facts?: Partial<HostFacts>;
}

const FACTS: HostFacts = {
  hostname: 'fake',
  os: { id: 'debian', versionId: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)' },
  kernel: '6.1.0',
  architecture: 'x86_64',
  cgroupVersion: 2,
  systemd: 252,
  machineId: '0123456789abcdef0123456789abcdef',
  productUuid: '',
  cpus: 2,
  memoryBytes: 4 * 1024 ** 3,
  swapBytes: 0,
  clockSkewMs: 0,
  roundTripMs: 1,
  addresses: [{ interface: 'eth0', address: '10.0.0.1', prefix: 24, mtu: 1500 }],
  defaultRoute: { interface: 'eth0', address: '10.0.0.1' },
  uid: 0,
};

const MUTATING = new Set<FakeCall['kind']>(['exec', 'script', 'put', 'remove', 'service']);

export function createFakeHost(options: FakeHostOptions = {}): FakeHost {
  const name = options.name ?? 'fake';
  const files = new Map<string, FakeFile>();
  const units = new Map<string, UnitState>();
  const calls: FakeCall[] = [];
  const rules: {
    match: string | RegExp;
    reply: FakeReply | ((command: string, o: ExecOptions) => FakeReply);
  }[] = [];
  const faults = new Map<number, KeelsonError>();
  let dropped = false;

  for (const [path, text] of Object.entries(options.files ?? {})) {
    files.set(path, { content: Buffer.from(text), mode: 0o644, owner: 'root:root', type: 'file' });
  }
  for (const [unit, state] of Object.entries(options.units ?? {})) {
    units.set(unit, { unit, load: 'loaded', active: 'inactive', sub: 'dead', enabled: 'disabled', ...state });
  }

  const record = (kind: FakeCall['kind'], what: string, root: boolean, signal?: AbortSignal): void => {
    calls.push({ kind, what, root });
    if (signal?.aborted) throw new KeelsonError('ABORTED', 'interrupted', { host: name });
    if (dropped) throw new KeelsonError('CONNECTION', 'the SSH connection is closed', { host: name });
    const fault = faults.get(calls.length);
    if (fault === undefined) return;
    faults.delete(calls.length);
    throw fault;
  };

  const answer = (command: string, execOptions: ExecOptions = {}): ExecResult => {
    const rule = rules.findLast(({ match }) =>
      typeof match === 'string' ? match === command : match.test(command),
    );
    if (rule === undefined) throw new Error(`the fake host ${name} has no answer to: ${command}`);
    const {
      code = 0,
      stdout = '',
      stderr = '',
    } = typeof rule.reply === 'function' ? rule.reply(command, execOptions) : rule.reply;
    const result: ExecResult = {
      host: name,
      command,
      ending: 'exited',
      code,
      stdout: Buffer.from(stdout),
      stderr: Buffer.from(stderr),
      truncated: false,
      durationMs: 0,
    };
    const accepted = execOptions.acceptCodes ?? [0];
    if (accepted === 'any' || accepted.includes(code)) return result;
    throw new KeelsonError('REMOTE_COMMAND', `\`${command}\` exited with ${code}: ${stderr}`, {
      host: name,
      details: { command, code, stdout: String(stdout), stderr },
    });
  };

  const state = (path: string, withContent: boolean): FileState => {
    const file = files.get(path);
    if (file === undefined) return { path, type: 'missing', mode: 0, owner: '', size: 0, mtime: '' };
    const { type, mode, owner, content } = file;
    const base: FileState = { path, type, mode, owner, size: content.length, mtime: '1.0' };
    return withContent && type === 'file' ? { ...base, sha256: sha256(content), content } : base;
  };

  const view = (root: boolean): Host => ({
    name,
    exec: async (argv, execOptions) => {
      record('exec', quote(argv), root, execOptions?.signal);
      return answer(quote(argv), execOptions);
    },
    query: async (argv, execOptions) => {
      record('query', quote(argv), root, execOptions?.signal);
      return answer(quote(argv), execOptions);
    },
    script: async (script, execOptions) => {
      const command = [`<${script.name}>`, ...(script.args ?? [])].join(' ');
      record('script', command, root, execOptions?.signal);
      return answer(command, execOptions);
    },
    read: async (request, readOptions) => {
      record(
        'read',
        [...(request.files ?? []), ...(request.stats ?? [])].join(' '),
        root,
        readOptions?.signal,
      );
      const found = new Map<string, FileState>();
      for (const path of request.stats ?? []) found.set(path, state(path, false));
      for (const path of request.files ?? []) found.set(path, state(path, true));
      return {
        files: found,
        units: new Map((request.units ?? []).map((unit) => [unit, units.get(unit) ?? missingUnit(unit)])),
        probes: new Map(
          Object.keys(request.probes ?? {}).map((probe) => {
            const { code, stdout } = answer(`?${probe}`, { acceptCodes: 'any' });
            return [probe, { code: code ?? -1, stdout: stdout.toString('utf8') }];
          }),
        ),
      };
    },
    facts: async () => {
      record('facts', '', root);
      return { ...FACTS, ...options.facts };
    },
    forward: async (address, port) => {
      record('forward', `${address}:${port}`, root);
      return new PassThrough();
    },
    put: async (specs, putOptions) => {
      record('put', specs.map(({ path }) => path).join(' '), root, putOptions?.signal);
      const written: string[] = [];
      for (const spec of specs) {
        const content = Buffer.isBuffer(spec.content) ? spec.content : await readFile(spec.content.localPath);
        const owner = spec.owner ?? 'root:root';
        const there = files.get(spec.path);
        if (there?.content.equals(content) && there.mode === spec.mode && there.owner === owner) continue;
        files.set(spec.path, { content, mode: spec.mode, owner, type: 'file' });
        putOptions?.onBytes?.(content.length);
        written.push(spec.path);
      }
      return written;
    },
    remove: async (paths) => {
      record('remove', paths.join(' '), root);
      for (const path of paths) {
        if (!/^\/.*[^/]/.test(path) || path.split('/').includes('..')) {
          throw new KeelsonError('USAGE', `${path} is not to be removed`);
        }
        for (const known of files.keys())
          if (known === path || known.startsWith(`${path}/`)) files.delete(known);
      }
    },
    service: async (action, unit) => {
      record('service', unit === undefined ? action : `${action} ${unit}`, root);
      if (unit === undefined) return;
      const known = units.get(unit);
      if (known === undefined) {
        throw new KeelsonError('REMOTE_COMMAND', `Unit ${unit} not found`, { host: name });
      }
      units.set(unit, { ...known, ...afterAction(action) });
    },
    asRoot: () => rootView,
    close: async () => {
      record('close', '', root);
      dropped = true;
    },
  });
  const rootView = view(true);

  return {
    ...view(false),
    files,
    units,
    calls,
    mutations: () => calls.filter(({ kind }) => MUTATING.has(kind)),
    on: (match, reply) => void rules.push({ match, reply }),
    failAt: (nth, error) => void faults.set(calls.length + nth, error),
    drop: () => {
      dropped = true;
    },
  };
}

function afterAction(action: string): Partial<UnitState> {
  if (action === 'start' || action === 'restart' || action === 'reload')
    return { active: 'active', sub: 'running' };
  if (action === 'stop') return { active: 'inactive', sub: 'dead' };
  if (action === 'enable') return { enabled: 'enabled' };
  return action === 'disable' ? { enabled: 'disabled' } : {};
}

function missingUnit(unit: string): UnitState {
  return { unit, load: 'not-found', active: 'inactive', sub: 'dead', enabled: '' };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
