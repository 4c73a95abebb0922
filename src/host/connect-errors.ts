import { KeelsonError } from '../errors/keelson-error.js';

const NETWORK: Readonly<Record<string, { what: string; hint: string; retryable: boolean }>> = {
  ECONNREFUSED: {
    what: 'refused the connection',
    hint: 'check that sshd runs there, and the port (spec.ssh.port, or the host’s own)',
    retryable: true,
  },
  EHOSTUNREACH: {
    what: 'is unreachable',
    hint: 'check that the machine is up and the route to it',
    retryable: true,
  },
  ENETUNREACH: { what: 'is on an unreachable network', hint: 'check the route to it', retryable: true },
  ETIMEDOUT: {
    what: 'did not answer in time',
    hint: 'check that it is up, and firewalls in between',
    retryable: true,
  },
  SILENT: {
    what: 'accepts connections and then says nothing',
    hint: 'look at sshd there, from its console: a machine without memory or disk answers like this, and so does a firewall in between',
    retryable: true,
  },
  NO_LOGIN: {
    what: 'began the login and did not end it',
    hint: 'look at sshd’s log there: PAM, name resolution (UseDNS) or a home directory on a network that is gone let logins hang',
    retryable: true,
  },
  ECONNRESET: { what: 'reset the connection', hint: "check the machine's sshd log", retryable: true },
  ENOTFOUND: { what: 'is no known name', hint: 'check the address, or DNS', retryable: false },
  EAI_AGAIN: { what: 'cannot be resolved now', hint: 'check DNS on this machine', retryable: true },
};

/** What came from the other side until something went wrong. */
export interface Heard {
  /** It accepted the connection. */
  open: boolean;
  /** Its first bytes. */
  words: Buffer | null;
}

/** The error of a host that let the time for connecting pass, by how far it came. */
export function silence(limitMs: number, { open, words }: Heard): Error {
  const seconds = `${Math.round(limitMs / 100) / 10} s`;
  if (!open) return Object.assign(new Error(`no answer within ${seconds}`), { code: 'ETIMEDOUT' });
  if (words === null)
    return Object.assign(new Error(`no word within ${seconds}`), { code: 'SILENT', seconds });
  return Object.assign(new Error(`no end of the login within ${seconds}`), { code: 'NO_LOGIN', seconds });
}

/** How a server greets that may be followed by lines of its own before `SSH-2.0-…`. */
const GREETING = /(?:^|\n)SSH-/;

/** The error of a server that is none of SSH, or that turns everybody away; null where it may be one. */
export function notSsh({ words }: Heard): KeelsonError | null {
  const [line = ''] = (words?.toString('utf8') ?? '').split('\n');
  if (words === null || GREETING.test(words.toString('latin1'))) return null;
  const shown = JSON.stringify(
    line
      .trim()
      .replaceAll(/[^ -~]/g, '?')
      .slice(0, 80),
  );
  return new KeelsonError('CONNECTION', `the server does not speak SSH: it says ${shown}`, {
    hint: 'check the port (spec.ssh.port, or the host’s own); an sshd that is overloaded, or blocks this address, may say such things too',
  });
}

/** Whatever went wrong before the connection was ready, as an error a person can act on. */
export function connectError(
  host: string,
  target: string,
  cause: unknown,
  auth: AuthAttempts = { user: '', tried: [], offered: [], skipped: [] },
): KeelsonError {
  if (cause instanceof KeelsonError) return cause.within({ host });
  const message = cause instanceof Error ? cause.message : String(cause);
  const level = cause instanceof Error && 'level' in cause ? cause.level : undefined;
  if (
    level === 'client-authentication' ||
    level === 'agent' ||
    /authentication (methods )?fail/i.test(message)
  ) {
    return authenticationError(host, target, cause, auth);
  }
  const network = NETWORK[networkCode(cause) ?? ''];
  if (network !== undefined) {
    const waited = cause instanceof Error && 'seconds' in cause ? ` within ${String(cause.seconds)}` : '';
    return new KeelsonError('CONNECTION', `${target} ${network.what}${waited}`, {
      host,
      cause,
      hint: network.hint,
      retryable: network.retryable,
    });
  }
  return new KeelsonError('CONNECTION', `no SSH connection to ${target}: ${message}`, {
    host,
    cause,
    hint: `try \`ssh -v\` to it, and read the machine's sshd log`,
  });
}

/** What was tried, for the message when all of it failed. */
export interface AuthAttempts {
  user: string;
  tried: string[];
  /** Methods that the server would take. */
  offered: string[];
  /** Why something was not tried. */
  skipped: string[];
}

function authenticationError(host: string, target: string, cause: unknown, auth: AuthAttempts): KeelsonError {
  const tried = auth.tried.length > 0 ? `tried ${auth.tried.join(', ')}` : 'there was no key to try';
  const offered = auth.offered.length > 0 ? `; the server takes ${auth.offered.join(', ')}` : '';
  return new KeelsonError('AUTHENTICATION', `${target} refused the login: ${tried}${offered}`, {
    host,
    cause,
    hint: `set ssh.identityFile or ssh.user, or add the public key to ~${auth.user}/.ssh/authorized_keys there`,
    details: { ...auth },
  });
}

function networkCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  // Happy eyeballs: one error for each address.
  if (cause instanceof AggregateError) return networkCode(cause.errors[0]);
  return undefined;
}
