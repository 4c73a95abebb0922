/** One option of a command; its kind decides the type that the handler sees. */
type OptionSpec =
  | { flags: string; description: string; kind: 'boolean' }
  | { flags: string; description: string; kind: 'string'; default?: string; choices?: readonly string[] }
  | { flags: string; description: string; kind: 'number'; default?: number }
  | { flags: string; description: string; kind: 'list' };

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type ValueOf<S extends OptionSpec> = S extends { kind: 'boolean' }
  ? boolean
  : S extends { kind: 'number'; default: number }
    ? number
    : S extends { kind: 'number' }
      ? number | undefined
      : S extends { kind: 'list' }
        ? string[]
        : S extends { default: string }
          ? string
          : string | undefined;

export type OptionValues<T extends OptionTable> = { [K in keyof T]: ValueOf<T[K]> };

/** The terminal and process as a command sees them; nothing else in the project touches either. */
export interface CliIO {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  home: string;
  /** Aborted by the first SIGINT or SIGTERM: finish what is under way, begin nothing new. */
  stop: AbortSignal;
  /** Aborted by the second: break off. */
  abort: AbortSignal;
  /** Asks on the terminal without echo; rejects with USAGE where there is none, and says what to do `without`. */
  askSecret: (prompt: string, without: string) => Promise<string>;
  /** True where someone can answer a question. */
  terminal: boolean;
  /** Asks a question on the terminal; only `yes` is a yes. Rejects with USAGE where there is no terminal. */
  confirm: (question: string) => Promise<boolean>;
}

type OutputFormat = 'text' | 'wide' | 'json' | 'yaml' | 'prometheus';

export interface GlobalOptions {
  output: OutputFormat;
  logFormat: 'text' | 'json';
  verbose: boolean;
  color: boolean;
}

/** What a handler returns; the frame prints `data` as JSON or YAML, or `text` for people. */
export interface CommandResult {
  data: unknown;
  text: string;
  exitCode?: number;
}

interface Invocation<T extends OptionTable> {
  /** Positional arguments, in order. */
  args: string[];
  options: OptionValues<T>;
  global: GlobalOptions;
  io: CliIO;
}

export interface Command<T extends OptionTable = OptionTable> {
  /** Words after `keelson`: `lab up`. */
  name: string;
  summary: string;
  /** Longer help, below the options. */
  details?: string;
  /** Positional arguments as commander writes them: `[plan]`, `<node>`, `[command...]`. */
  arguments?: string;
  options: T;
  /** Forms of the result beside text, wide, json and yaml; the handler puts them into `text`. */
  outputs?: readonly OutputFormat[];
  run: (invocation: Invocation<T>) => Promise<CommandResult>;
}

/** Identity, for the types. */
export function defineCommand<const T extends OptionTable>(command: Command<T>): Command {
  return command as unknown as Command;
}
