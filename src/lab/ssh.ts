import { quote } from '../host/quote.js';
import { userFiles } from './keys.js';
import { requireNode, requireState } from './state.js';
import { DEFAULT_STATE_ROOT, type LabNode } from './types.js';

/** How to log in to a machine, and whose host keys are believed. */
export interface SshLogin {
  address: string;
  port: number;
  user: string;
  /** Paths on this computer. */
  identityFile: string;
  knownHostsFile: string;
}

/**
 * The ssh command line to a machine, by that key and known_hosts only.
 * @param argv command to run there: one word is a line for the machine's shell, of several each is kept as it is;
 *   empty for a login shell
 */
export function sshCommandLine(login: SshLogin, argv: readonly string[] = []): string[] {
  const options = [
    `UserKnownHostsFile=${login.knownHostsFile}`,
    'GlobalKnownHostsFile=/dev/null',
    'StrictHostKeyChecking=yes',
    'IdentitiesOnly=yes',
    'PasswordAuthentication=no',
    'KbdInteractiveAuthentication=no',
    'LogLevel=ERROR',
    'ConnectTimeout=5',
  ];
  return [
    'ssh',
    ...['-F', '/dev/null', '-i', login.identityFile],
    ...(login.port === 22 ? [] : ['-p', String(login.port)]),
    ...options.flatMap((option) => ['-o', option]),
    `${login.user}@${login.address}`,
    ...(argv.length === 0 ? [] : ['--', argv.length === 1 ? String(argv[0]) : quote(argv)]),
  ];
}

/** The command line to a node of a lab as root. */
export function sshArgv(directory: string, { address }: LabNode, argv: readonly string[] = []): string[] {
  const { identity, knownHosts } = userFiles(directory);
  const login = { address, port: 22, user: 'root', identityFile: identity, knownHostsFile: knownHosts };
  return sshCommandLine(login, argv);
}

/** `sshArgv` for a node of a lab by name; LAB where there is no such lab or node. */
export async function labSshCommand(
  lab: string,
  node: string,
  argv: readonly string[] = [],
  options: { stateRoot?: string } = {},
): Promise<string[]> {
  const state = await requireState(options.stateRoot ?? DEFAULT_STATE_ROOT, lab);
  return sshArgv(state.directory, requireNode(state, node), argv);
}
