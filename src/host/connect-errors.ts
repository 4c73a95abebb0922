import { KeelsonError } from '../errors/keelson-error.js';

const NETWORK: Readonly<Record<string, { what: string; hint: string; retryable: boolean }>> = {
  ECONNREFUSED: {
    what: 'refused the connection',
    hint: 'check that sshd runs there, and the port (ssh.port)',
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
  ECONNRESET: { what: 'reset the connection', hint: "check the machine's sshd log", retryable: true },
  ENOTFOUND: { what: 'is no known name', hint: 'check the address, or DNS', retryable: false },
  EAI_AGAIN: { what: 'cannot be resolved now', hint: 'check DNS on this machine', retryable: true },
};

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
    return new KeelsonError('CONNECTION', `${target} ${network.what}`, {
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
