import { access, constants } from 'node:fs/promises';
import { resolve } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { parseLabNetwork } from '../lab/lab-network.js';
import {
  LAB_DRIVERS,
  LAB_ENDPOINTS,
  LAB_PROXY_MODES,
  type LabDriverName,
  type LabNetwork,
  type LabSpec,
} from '../lab/types.js';
import type { CliIO } from './command.js';

/** Options that say which machines a lab has, and what its cluster is like. */
export const MACHINE_OPTIONS = {
  controlPlanes: {
    flags: '--control-planes <n>',
    description: 'number of control planes (default 1)',
    kind: 'number',
  },
  driver: {
    flags: '--driver <driver>',
    description: 'what makes the machines (default nspawn, or what the lab was made with)',
    kind: 'string',
    choices: LAB_DRIVERS,
  },
  profile: {
    flags: '--profile <profile>',
    description: 'vagrant: single, small (1+2, default) or ha (3+2)',
    kind: 'string',
  },
  provider: {
    flags: '--provider <provider>',
    description: 'vagrant: virtualbox or libvirt (default: Vagrant’s choice)',
    kind: 'string',
  },
  box: {
    flags: '--box <box>',
    description: 'vagrant: debian12 (default), debian13, ubuntu24.04, rocky9, or the name of any box',
    kind: 'string',
  },
  workers: { flags: '--workers <n>', description: 'number of workers (default 2)', kind: 'number' },
  endpoint: {
    flags: '--endpoint <provider>',
    description: 'how the API is reached (default external with several control planes)',
    kind: 'string',
    choices: LAB_ENDPOINTS,
  },
  network: {
    flags: '--network <network>',
    description:
      'pod network: flannel:vxlan (default), flannel:vxlan+direct, flannel:host-gw, flannel:wireguard, calico:bgp|ipip|vxlan|mixed, none',
    kind: 'string',
  },
  calicoManifest: {
    flags: '--calico-manifest <file>',
    description: "Calico's published manifest, for --network calico:…",
    kind: 'string',
  },
  proxyMode: {
    flags: '--proxy-mode <mode>',
    description: 'mode of kube-proxy (default iptables)',
    kind: 'string',
    choices: LAB_PROXY_MODES,
  },
  etcd: {
    flags: '--etcd <n>',
    description: 'machines for an etcd outside of the control planes (default none)',
    kind: 'number',
  },
  dualStack: {
    flags: '--dual-stack',
    description: 'machines with IPv6 addresses beside, and a cluster of both families',
    kind: 'boolean',
  },
} as const;

/** @throws USAGE where a file that was named can't be read */
export async function requireFile(file: string | undefined, io: CliIO): Promise<void> {
  if (file === undefined) return;
  await access(resolve(io.cwd, file), constants.R_OK).catch((cause: unknown) => {
    throw new KeelsonError('USAGE', `${file} can't be read`, { cause, hint: 'name a file that is there' });
  });
}

function networkOf({ network, calicoManifest }: MachineOptions, cwd: string): LabNetwork | undefined {
  if (network === undefined) return undefined;
  return parseLabNetwork(network, calicoManifest === undefined ? undefined : resolve(cwd, calicoManifest));
}

interface MachineOptions {
  controlPlanes: number | undefined;
  workers: number | undefined;
  endpoint: string | undefined;
  network: string | undefined;
  calicoManifest: string | undefined;
  proxyMode: string | undefined;
  etcd: number | undefined;
  dualStack: boolean;
  profile: string | undefined;
  provider: string | undefined;
  box: string | undefined;
}

/**
 * What was asked of the machines, without what was left open.
 * @throws USAGE for an option that is another driver's
 */
export function machinesOf(options: MachineOptions, driver: LabDriverName, cwd: string): Partial<LabSpec> {
  const { controlPlanes, workers, etcd, dualStack, profile, provider, box } = options;
  const vagrant = { profile, provider, box };
  const endpoint = LAB_ENDPOINTS.find((known) => known === options.endpoint);
  const proxyMode = LAB_PROXY_MODES.find((known) => known === options.proxyMode);
  const network = networkOf(options, cwd);
  const counts = {
    ...{ controlPlanes, workers, etcd, endpoint, network, proxyMode },
    ...(dualStack ? { dualStack } : {}),
  };
  const others = driver === 'vagrant' ? counts : vagrant;
  if (Object.values(others).some((value) => value !== undefined)) {
    throw driver === 'vagrant'
      ? new KeelsonError('USAGE', 'a profile says what a Vagrant lab has: machines, endpoint and network', {
          hint: 'use --profile single, small or ha in place of --control-planes, --workers, --etcd, --dual-stack, --endpoint, --network and --proxy-mode',
        })
      : new KeelsonError('USAGE', '--profile, --provider and --box are for Vagrant', {
          hint: 'add --driver vagrant, or use --control-planes, --workers and --endpoint',
        });
  }
  const given = Object.entries({ ...counts, ...vagrant }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}
