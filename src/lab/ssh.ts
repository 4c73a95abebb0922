import { quote } from '../host/quote.js';
import { userFiles } from './keys.js';
import { requireNode, requireState } from './state.js';
import { DEFAULT_STATE_ROOT, type LabNode } from './types.js';

/**
 * The ssh command line to a node as root, by the lab's own key and known_hosts only.
 * @param argv command to run there, each argument kept as it is; empty for a login shell
 */
export function sshArgv(directory: string, node: LabNode, argv: readonly string[] = []): string[] {
  const files = userFiles(directory);
  const options = [
    `UserKnownHostsFile=${files.knownHosts}`,
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
    ...['-F', '/dev/null', '-i', files.identity],
    ...options.flatMap((option) => ['-o', option]),
    `root@${node.address}`,
    ...(argv.length === 0 ? [] : ['--', quote(argv)]),
  ];
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
