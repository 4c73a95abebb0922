import { KeelsonError } from '../../errors/keelson-error.js';
import { type RunOptions, run } from '../run.js';
import type { LabNodeState } from '../types.js';
import { readProfile } from './profiles.js';
import { dotfilePath, type VagrantState } from './state.js';

/** Environment of the user's programs. */
export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'KEELSON_VAGRANT_';

/** The settings of the Vagrantfile in an environment. */
export function settingsIn(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([key, value]) =>
      key.startsWith(PREFIX) && value !== undefined && value !== '' ? [[key, value]] : [],
    ),
  );
}

/**
 * Runs `vagrant` for a lab: the profile's Vagrantfile stays where it is, Vagrant's state lies in the lab's
 * directory. No limit of time: a first `up` downloads a box.
 * Errors: LAB without Vagrant, LOCAL_COMMAND, ABORTED.
 */
export async function vagrant(
  lab: { directory: string; state: VagrantState; env: Environment },
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { directory } = await readProfile(lab.state.profile);
  const { provider, settings, name } = lab.state;
  try {
    return await run(['vagrant', ...args], {
      timeoutMs: 0,
      ...options,
      env: {
        ...lab.env,
        ...settings,
        ...(provider === null ? {} : { VAGRANT_DEFAULT_PROVIDER: provider }),
        [`${PREFIX}LAB`]: name,
        VAGRANT_CWD: directory,
        VAGRANT_DOTFILE_PATH: dotfilePath(lab.directory),
        VAGRANT_NO_COLOR: '1',
        VAGRANT_CHECKPOINT_DISABLE: '1',
      },
    });
  } catch (error) {
    throw withoutVagrant(error);
  }
}

/** @throws LAB where there is no Vagrant on this computer */
export async function requireVagrant(env: Environment): Promise<void> {
  try {
    await run(['vagrant', '--version'], { env: { ...env, VAGRANT_CHECKPOINT_DISABLE: '1' } });
  } catch (error) {
    throw withoutVagrant(error);
  }
}

function withoutVagrant(error: unknown): unknown {
  if (!(error instanceof KeelsonError) || !/ENOENT/.test(error.message)) return error;
  return new KeelsonError('LAB', 'vagrant is not installed on this computer', {
    hint: 'install Vagrant with VirtualBox or libvirt; on Debian: apt-get install -y vagrant vagrant-libvirt',
    cause: error,
  });
}

/** State of each machine in the output of `vagrant status --machine-readable`. */
export function parseVagrantStatus(text: string): Map<string, LabNodeState> {
  const states = new Map<string, LabNodeState>();
  for (const line of text.split('\n')) {
    const [, machine = '', type, state = ''] = line.trim().split(',');
    if (type === 'state' && machine !== '') states.set(machine, nodeState(state));
  }
  return states;
}

/** VirtualBox says poweroff, aborted or saved, libvirt shutoff, paused or preparing. */
function nodeState(state: string): LabNodeState {
  if (state === 'running') return 'running';
  return state === 'not_created' ? 'missing' : 'stopped';
}
