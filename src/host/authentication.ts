import { access } from 'node:fs/promises';
import ssh2, { type AuthHandlerMiddleware, type ParsedKey } from 'ssh2';
import type { AuthAttempts } from './connect-errors.js';
import { type AskPassphrase, isEncrypted, parseIdentity, readKeyFile } from './identity.js';

export interface Credentials {
  user: string;
  /** The key that the user named: its errors are errors. */
  identityFile?: string | undefined;
  /** Keys tried where they exist, when none was named. */
  defaultIdentities: readonly string[];
  agentSocket?: string | undefined;
  passphrase?: AskPassphrase | undefined;
}

type Step = {
  label: string;
  load(): Promise<{ type: 'publickey'; key: ParsedKey } | { type: 'agent'; agent: string }>;
};

export interface Authentication {
  handler: AuthHandlerMiddleware;
  attempts: AuthAttempts;
  /** Set when loading a key failed: the better error than 'all methods failed'. */
  failure(): unknown;
}

/**
 * Plans how to log in: a named key first, the agent before keys that need a passphrase, default keys last.
 * Passphrases are asked for only when it comes to that key.
 */
export async function prepareAuthentication(credentials: Credentials): Promise<Authentication> {
  const attempts: AuthAttempts = { user: credentials.user, tried: [], offered: [], skipped: [] };
  const plain: Step[] = [];
  const encrypted: Step[] = [];
  const files =
    credentials.identityFile === undefined
      ? await existing(credentials.defaultIdentities)
      : [credentials.identityFile];
  for (const file of files) {
    const text = await readKeyFile(file).catch((error: unknown) => {
      if (credentials.identityFile !== undefined) throw error;
      attempts.skipped.push(error instanceof Error ? error.message : file);
      return null;
    });
    if (text === null) continue;
    const step: Step = {
      label: file,
      load: async () => ({ type: 'publickey', key: await parseIdentity(text, file, credentials.passphrase) }),
    };
    (isEncrypted(text) ? encrypted : plain).push(step);
  }
  const agent = await agentStep(credentials.agentSocket, attempts);
  const steps =
    credentials.identityFile === undefined
      ? [...agent, ...plain, ...encrypted]
      : [...plain, ...agent, ...encrypted];

  let failure: unknown;
  const next = async (): Promise<Awaited<ReturnType<Step['load']>> | false> => {
    for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
      try {
        const method = await step.load();
        attempts.tried.push(step.label);
        return method;
      } catch (error) {
        failure ??= error;
        attempts.skipped.push(step.label);
      }
    }
    return false;
  };
  return {
    attempts,
    failure: () => failure,
    handler: (authsLeft, _partial, proceed) => {
      // ssh2 passes null before the server has said what it takes.
      if (Array.isArray(authsLeft)) attempts.offered = [...authsLeft];
      void next().then((method) => {
        // `false` ends authentication; the type declarations leave it out.
        if (method === false) proceed(false as never);
        else proceed({ ...method, username: credentials.user });
      });
    },
  };
}

async function agentStep(socket: string | undefined, attempts: AuthAttempts): Promise<Step[]> {
  if (socket === undefined || socket === '') return [];
  // An agent that fails while ssh2 uses it ends the whole attempt: ask it first.
  const count = await new Promise<number | Error>((resolve) => {
    ssh2.createAgent(socket).getIdentities((error, keys) => resolve(error ?? keys?.length ?? 0));
  });
  if (count instanceof Error) {
    attempts.skipped.push(`agent (${count.message})`);
    return [];
  }
  if (count === 0) return [];
  return [{ label: `agent (${count} keys)`, load: async () => ({ type: 'agent', agent: socket }) }];
}

async function existing(files: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    files.map((file) =>
      access(file).then(
        () => file,
        () => null,
      ),
    ),
  );
  return found.filter((file) => file !== null);
}
