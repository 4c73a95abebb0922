import { KeelsonError } from '../errors/keelson-error.js';
import type { Connection } from './connection.js';
import { runCommand, type WireCommand } from './exec.js';
import { FIRST_ANSWER_MS } from './settings.js';

/** Turns a command into one that root runs. */
export type Elevate = (command: WireCommand) => WireCommand;

const END_OF_PASSWORD = 'keelson-end-of-password';
/**
 * Reads its stdin up to the mark, then becomes the command. sudo takes the password line only when it asks:
 * this takes what sudo left, so that no command is ever fed the password. `read` takes no byte too many.
 */
const AFTER_PASSWORD = `while IFS= read -r l; do [ "$l" = ${END_OF_PASSWORD} ] && break; done; exec "$@"`;

/**
 * Finds out, in one round trip, how the logged-in user becomes root: is it already, by sudo without a password,
 * or by sudo with one, which is asked for and checked.
 * Errors: PREFLIGHT where sudo is missing, wants a password that nobody can be asked for, or refuses it.
 */
export async function prepareElevation(
  connection: Connection,
  sudoPassword: (() => Promise<string>) | undefined,
): Promise<Elevate> {
  const probe = await runCommand(
    connection,
    {
      argv: [
        'sh',
        '-c',
        '[ "$(id -u)" = 0 ] && exit 10; command -v sudo >/dev/null || exit 11; export LC_ALL=C; exec sudo -n -k -- true',
      ],
      display: 'sudo -n -k -- true',
    },
    { acceptCodes: 'any', timeoutMs: FIRST_ANSWER_MS },
  );
  const { host } = connection;
  if (probe.code === 10) return (command) => command;
  if (probe.code === 11) {
    throw new KeelsonError('PREFLIGHT', 'the user is not root, and there is no sudo', {
      host,
      hint: 'install sudo there, or log in as root (ssh.user)',
    });
  }
  if (probe.code === 0) return withPrefix(['sudo', '-n', '--'], undefined);

  const said = probe.stderr.toString('utf8').trim();
  if (sudoPassword === undefined || !/password/i.test(said)) {
    throw new KeelsonError('PREFLIGHT', `sudo refuses: ${said}`, {
      host,
      hint: 'let the user run everything without a password (NOPASSWD: ALL in sudoers), or run from a terminal to be asked',
    });
  }
  const password = await sudoPassword();
  const prefix = ['sudo', '-k', '-S', '-p', '', '--', 'sh', '-c', AFTER_PASSWORD, 'sh'];
  // No mark in this first check: a sudo that refuses the password would take the mark for a second try.
  const first = withPrefix(prefix, `${password}\n`);
  const check = await runCommand(connection, first({ argv: ['true'], display: 'true' }), {
    acceptCodes: 'any',
  });
  if (check.code === 0) return withPrefix(prefix, `${password}\n${END_OF_PASSWORD}\n`);
  throw new KeelsonError('PREFLIGHT', 'sudo does not take the password', {
    host,
    hint: 'check the password and that the user is in sudoers',
    details: { stderr: check.stderr.toString('utf8').replaceAll(password, '<redacted>') },
  });
}

function withPrefix(prefix: readonly string[], preamble: string | undefined): Elevate {
  return (command) => ({
    ...command,
    argv: [...prefix, ...command.argv],
    display: `sudo -n -- ${command.display}`,
    preamble,
    killPrefix: prefix,
  });
}
