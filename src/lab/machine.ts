import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { type Hierarchy, makeCgroup, processesIn, removeCgroup } from './cgroups.js';
import { DISKS, hostsFile, nodeLayout } from './layout.js';
import { cableName, labCgroup, machineName, parseMachineName } from './names.js';
import { SYSTEM_PATH } from './run.js';
import type { LabNode } from './types.js';
import { waitUntil } from './wait.js';

/**
 * Runs in a mount namespace of its own: enters the control groups (arguments up to `--`), mounts the
 * machine's overlay, which so vanishes with the machine, and becomes systemd-nspawn.
 */
const BOOT_SCRIPT = `set -eu
while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done
shift
mount -t overlay keelson-lab -o "$1" "$2"
shift 2
exec "$@"`;

/** Mount options of a machine's root; colons, commas and backslashes of paths are escaped for the kernel. */
export function overlayOptions(lower: string, upper: string, work: string): string {
  const escaped = (path: string) => path.replace(/[\\:,]/g, '\\$&');
  return `lowerdir=${escaped(lower)},upperdir=${escaped(upper)},workdir=${escaped(work)}`;
}

/** The systemd-nspawn command line of a node. */
export function nspawnArgv(stateRoot: string, lab: string, node: LabNode): string[] {
  const layout = nodeLayout(stateRoot, lab, node.name);
  const bind = (from: string, to: string) => `--bind=${from.replace(/[\\:]/g, '\\$&')}:${to}`;
  return [
    'systemd-nspawn',
    '--quiet',
    '--boot',
    '--register=no',
    '--keep-unit',
    `--machine=${machineName(lab, node.name)}`,
    `--hostname=${node.name}`,
    `--uuid=${node.machineId}`,
    `--directory=${layout.root}`,
    '--private-network',
    `--network-veth-extra=${cableName(lab, node.name)}:host0`,
    '--capability=all',
    '--system-call-filter=@keyring bpf',
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    '--console=read-only',
    '--bind=/dev/kmsg',
    bind(hostsFile(stateRoot, lab), '/etc/hosts'),
    bind(layout.signals, '/run/keelson-lab'),
    ...DISKS.map((disk) => bind(join(layout.disks, disk), `/var/lib/${disk}`)),
  ];
}

/**
 * Boots a machine that outlives this process; its console goes to a file. Does not wait for anything.
 * @returns the process that is, or is about to become, systemd-nspawn
 */
export async function startMachine(
  stateRoot: string,
  lab: string,
  node: LabNode,
  base: string,
  hierarchies: readonly Hierarchy[],
): Promise<number> {
  const layout = nodeLayout(stateRoot, lab, node.name);
  await rm(layout.ready, { force: true });
  const cgroups = await makeCgroup(hierarchies, `${labCgroup(lab)}/${node.name}`);
  const log = await open(layout.console, 'a', 0o600);
  try {
    // Not execa: it ties a program's output and life to this process, which a machine outlives.
    const child = spawn(
      'unshare',
      [
        '--mount',
        '--propagation=private',
        'sh',
        '-c',
        BOOT_SCRIPT,
        'keelson-lab-boot',
        ...cgroups,
        '--',
        overlayOptions(base, layout.upper, layout.work),
        layout.root,
        ...nspawnArgv(stateRoot, lab, node),
      ],
      {
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: { PATH: SYSTEM_PATH, LC_ALL: 'C' },
      },
    );
    child.unref();
    if (child.pid === undefined) {
      const [cause] = await once(child, 'error');
      throw new KeelsonError('LAB', "can't start the machine", { host: node.name, cause });
    }
    return child.pid;
  } finally {
    await log.close();
  }
}

export interface Machine {
  lab: string;
  node: string;
  /** systemd-nspawn (or the shell about to become it). */
  pid: number;
}

/** The machine that a command line belongs to, or null. `cmdline` is as in /proc: NUL after each argument. */
export function machineOfCmdline(cmdline: string): { lab: string; node: string } | null {
  const argv = cmdline.split('\0');
  if (!argv.includes('systemd-nspawn')) return null;
  const machine = argv.find((argument) => argument.startsWith('--machine='));
  return machine === undefined ? null : parseMachineName(machine.slice('--machine='.length));
}

/** All lab machines that run on this computer, found by their command lines. */
export async function runningMachines(): Promise<Machine[]> {
  const machines: Machine[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const cmdline = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const machine = machineOfCmdline(cmdline);
    if (machine !== null) machines.push({ ...machine, pid: Number(pid) });
  }
  return machines;
}

/**
 * Cuts a machine's power: kills everything in it at once, and removes its control groups. Nothing is synced
 * or told to stop. A machine that does not run is no error.
 * @returns whether anything was there
 */
export async function killMachine(
  lab: string,
  node: string,
  hierarchies: readonly Hierarchy[],
): Promise<boolean> {
  const cgroup = `${labCgroup(lab)}/${node}`;
  let found = false;
  await waitUntil(
    async () => {
      const machines = await runningMachines();
      const supervisors = machines.filter((machine) => machine.lab === lab && machine.node === node);
      const pids = [
        ...supervisors.map((machine) => machine.pid),
        ...(await processesIn(hierarchies, cgroup)),
      ];
      for (const pid of pids) {
        found = true;
        kill(pid);
      }
      return pids.length === 0 ? null : `${pids.length} processes still there`;
    },
    { what: `killing ${node}`, timeoutMs: 20_000, host: node },
  );
  return (await removeCgroup(hierarchies, cgroup)) || found;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new KeelsonError('LAB', `can't kill process ${pid} of the lab`, { cause: error });
  }
}
