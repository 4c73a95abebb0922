import { stat } from 'node:fs/promises';
import { address6Of, gatewayOf } from './address-plan.js';
import { closeFirewall } from './firewall.js';
import { bridgeName, cableName, isLabInterface } from './names.js';
import { run } from './run.js';
import type { LabState } from './types.js';
import { waitUntil } from './wait.js';

/** Names of the lab's bridge and cables in the output of `ip -j link show`. */
export function labInterfaces(ipLinkJson: string, lab: string): string[] {
  const links = JSON.parse(ipLinkJson || '[]') as { ifname: string }[];
  return links.map((link) => link.ifname).filter((name) => isLabInterface(lab, name));
}

/** Networks and addresses in use, from `ip -j route show table all` and `ip -j address show`. */
export function usedNetworks(routesJson: string, addressesJson: string): string[] {
  const routes = JSON.parse(routesJson || '[]') as { dst?: string }[];
  const links = JSON.parse(addressesJson || '[]') as {
    addr_info?: { family?: string; local?: string; prefixlen?: number }[];
  }[];
  return [
    ...routes.flatMap((route) => (route.dst === undefined ? [] : [route.dst])),
    ...links.flatMap((link) =>
      (link.addr_info ?? []).flatMap((address) =>
        address.family === 'inet' && address.local !== undefined
          ? [`${address.local}/${address.prefixlen ?? 32}`]
          : [],
      ),
    ),
  ];
}

export async function readUsedNetworks(signal?: AbortSignal): Promise<string[]> {
  const [routes, addresses] = await Promise.all([
    run(['ip', '-j', '-4', 'route', 'show', 'table', 'all'], { signal }),
    run(['ip', '-j', '-4', 'address', 'show'], { signal }),
  ]);
  return usedNetworks(routes, addresses);
}

const interfaceExists = (name: string) =>
  stat(`/sys/class/net/${name}`).then(
    () => true,
    () => false,
  );

/** Makes the lab's bridge with the gateway's addresses, MTU 1500, up. Repeating it changes nothing. */
export async function makeBridge(
  { name: lab, subnet, subnet6 }: Pick<LabState, 'name' | 'subnet' | 'subnet6'>,
  signal?: AbortSignal,
): Promise<void> {
  const bridge = bridgeName(lab);
  if (!(await interfaceExists(bridge)))
    await run(['ip', 'link', 'add', bridge, 'type', 'bridge'], { signal });
  await run(['ip', 'link', 'set', bridge, 'alias', `keelson lab ${lab}`, 'mtu', '1500'], { signal });
  await run(['ip', 'address', 'replace', `${gatewayOf(subnet)}/24`, 'dev', bridge], { signal });
  if (subnet6 !== undefined) {
    const gateway = `${address6Of(subnet6, gatewayOf(subnet))}/64`;
    await run(['ip', '-6', 'address', 'replace', gateway, 'dev', bridge, 'nodad'], { signal });
  }
  await run(['ip', 'link', 'set', bridge, 'up'], { signal });
}

/** Plugs the host's end of a machine's cable into the bridge, as soon as systemd-nspawn has made it. */
export async function plugCable(
  lab: string,
  node: string,
  options: { signal: AbortSignal | undefined; requireAlive: () => Promise<void> },
): Promise<void> {
  const { signal } = options;
  const cable = cableName(lab, node);
  await waitUntil(
    async () => {
      if (await interfaceExists(cable)) return null;
      await options.requireAlive();
      return 'no interface yet';
    },
    { what: `network cable of ${node}`, timeoutMs: 15_000, everyMs: 10, signal, host: node },
  );
  await run(['ip', 'link', 'set', cable, 'master', bridgeName(lab), 'mtu', '1500', 'up'], { signal });
}

/** Removes a cable that outlived its machine: the kernel takes its time to drop it with the namespace. */
export async function removeInterface(name: string): Promise<void> {
  // Exit code 1: the kernel was faster.
  if (await interfaceExists(name)) await run(['ip', 'link', 'delete', name], { acceptCodes: [0, 1] });
  await waitUntil(async () => ((await interfaceExists(name)) ? 'still there' : null), {
    what: `removing interface ${name}`,
    timeoutMs: 10_000,
  });
}

/** Removes cables, bridge and firewall rules of a lab, found by their names. */
export async function removeNetwork(lab: string): Promise<string[]> {
  const rules = await closeFirewall(lab);
  const found = labInterfaces(await run(['ip', '-j', 'link', 'show']), lab);
  // Cables before the bridge, whose name is the shortest.
  for (const name of found.sort((a, b) => b.length - a.length)) await removeInterface(name);
  return [...rules, ...found.map((name) => `interface ${name}`)];
}
