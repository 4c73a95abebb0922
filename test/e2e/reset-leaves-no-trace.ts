import { differences, type HostSnapshot, type RunOn, snapshotHost } from './host-snapshot.js';

export interface ResetLab {
  /** Directory in which the lab was made; `.keelson/lab/<name>` lies below it. */
  directory: string;
  name: string;
  machines: readonly string[];
  /** Runs keelson in `directory`; rejects unless it exits with 0. */
  cli: (argv: readonly string[]) => Promise<{ stdout: string }>;
}

/**
 * What is expected to differ on a machine that had a cluster: a lock file of iptables itself; the mode of a mount
 * point that containerd changes and that can't be removed; and, in a table that holds another's rules, base
 * chains without any rule (a rule would be a line of its own).
 */
const EXPECTED = [
  /^run: \+ f \/run\/xtables\.lock$/,
  /^tree: [-+] d 7[05][05] root:root \/var\/lib\/containerd $/,
  /^nft: \+ \tchain [A-Z]+ \{$/,
  /^nft: \+ \t\ttype \w+ hook \w+ priority [^;]+; policy accept;$/,
];

/**
 * Takes machines without a cluster through apply and reset, and compares them with what they were: files with
 * digests, mounts, interfaces, routes, packet filters, units, kernel settings, processes. Another's firewall
 * rules and network configuration, added before, have to be there afterwards.
 * @returns differences that are not expected, `machine: section: -/+ line`; [] where the reset left no trace
 */
export async function resetLeavesNoTrace(lab: ResetLab): Promise<string[]> {
  const run: RunOn = async (machine, script) =>
    (await lab.cli(['lab', 'ssh', machine, '--name', lab.name, '--', 'sh', '-c', script])).stdout;
  const file = `.keelson/lab/${lab.name}/cluster.yaml`;
  await Promise.all(lab.machines.map((machine) => run(machine, OTHERS)));
  const before = await snapshots(lab, run);
  await lab.cli(['apply', '-c', file]);
  await lab.cli(['reset', '-c', file, '--yes']);
  const after = await snapshots(lab, run);
  const found = lab.machines.flatMap((machine) =>
    differences(before.get(machine) ?? new Map(), after.get(machine) ?? new Map())
      .filter((line) => !EXPECTED.some((pattern) => pattern.test(line)))
      .map((line) => `${machine}: ${line}`),
  );
  await lab.cli(['reset', '-c', file, '--yes']);
  return found;
}

/** What somebody else has on the machine. */
const OTHERS = `set -e
iptables-nft -N MINE
iptables-nft -A MINE -p tcp --dport 9 -m comment --comment 'uses -j KUBE-FAKE' -j ACCEPT
iptables-nft -A INPUT -j MINE
ip6tables-nft -A FORWARD -j ACCEPT
ipset create mine hash:ip
mkdir -p /etc/cni/net.d
echo '{}' > /etc/cni/net.d/99-mine.conf
`;

async function snapshots(lab: ResetLab, run: RunOn): Promise<Map<string, HostSnapshot>> {
  const taken = await Promise.all(
    lab.machines.map(
      async (machine): Promise<[string, HostSnapshot]> => [machine, await snapshotHost(machine, run)],
    ),
  );
  return new Map(taken);
}
