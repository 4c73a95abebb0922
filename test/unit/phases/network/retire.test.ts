import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterConfig } from '../../../../src/config/types.js';
import { removeStray, strayProbe } from '../../../../src/phases/network/retire.js';
import { config } from '../../manifests/fixture.js';

const run = promisify(execFile);

const SAVED = `*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:FLANNEL-POSTRTG - [0:0]
:cali-nat - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m comment --comment "cali:6gwbT8clXdHdC1b1" -j cali-nat
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A KUBE-SERVICES -j KUBE-SVC-TCOU7JCQXEZGVUNU
COMMIT
`;

const LINKS = `1: lo: <LOOPBACK,UP> mtu 65536
2: eth0: <BROADCAST> mtu 1500
3: flannel.1: <BROADCAST> mtu 1450
4: flannel.7: <BROADCAST> mtu 1450
5: cni0: <BROADCAST> mtu 1450
6: flannel-wg: <POINTOPOINT> mtu 1420
7: veth12@if2: <BROADCAST> mtu 1450 master cni0
`;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keelson-retire-'));
  const log = join(directory, 'log');
  const stub = async (name: string, text: string) => {
    await writeFile(join(directory, name), `#!/bin/sh\n${text}`);
    await chmod(join(directory, name), 0o755);
  };
  await writeFile(log, '');
  await writeFile(join(directory, 'saved'), SAVED);
  await writeFile(join(directory, 'links'), LINKS);
  await stub('iptables-nft-save', `cat ${directory}/saved\n`);
  await stub('iptables-nft-restore', `cat >> ${log}\n`);
  for (const name of ['iptables-legacy', 'ip6tables-legacy', 'ip6tables-nft'])
    await stub(`${name}-save`, 'true\n');
  await stub(
    'nft',
    `case "$*" in
  'list tables') printf 'table ip kube-proxy\\ntable ip6 flannel-ipv6\\ntable inet mine\\n' ;;
  *) echo "nft $*" >> ${log} ;;
esac
`,
  );
  await stub('ipset', `[ "$1" = list ] && printf 'KUBE-LOOP\\nmine\\n' || echo "ipset $*" >> ${log}\n`);
  await stub(
    'ip',
    `case "$*" in
  '-o link show master cni0') grep 'master cni0' ${directory}/links ;;
  '-o link show') cat ${directory}/links ;;
  '-o link show type vxlan') grep 'flannel\\.' ${directory}/links ;;
  *'route show'*) echo 'default via 10.0.0.1 dev eth0' ;;
  *) echo "ip $*" >> ${log} ;;
esac
`,
  );
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const shell = async (script: string) =>
  (await run('sh', ['-c', script], { env: { PATH: `${directory}:/usr/bin:/bin` } })).stdout;

function configured(network: object, mode = ''): ClusterConfig {
  const base = config();
  return config({
    spec: { ...base.spec, network: { ...base.spec.network, ...network } as never },
    kubeProxy: { ...base.kubeProxy, mode },
  });
}

const strays = async (network: object, mode?: string) =>
  (await shell(strayProbe(configured(network, mode)))).trim().split('\n');

describe('what a former network left', () => {
  it('is of vxlan every other identifier, and what flannel and kube-proxy do not use', async () => {
    expect(await strays({ backend: 'vxlan', vni: 1 })).toEqual([
      'interface flannel-wg',
      'interface flannel.7',
      'table ip kube-proxy',
      'table ip6 flannel-ipv6',
      'set KUBE-LOOP',
    ]);
  });

  it('is with host-gw every tunnel, and never a bridge or a pod’s interface', async () => {
    expect((await strays({ backend: 'host-gw' })).filter((line) => line.startsWith('interface'))).toEqual([
      'interface flannel-wg',
      'interface flannel.1',
      'interface flannel.7',
    ]);
  });

  it('is with nftables the chains of kube-proxy and flannel, but not the kubelet’s and not Calico’s', async () => {
    expect(await strays({ nftables: true, vni: 7 }, 'nftables')).toEqual([
      'interface flannel-wg',
      'interface flannel.1',
      'chains iptables-nft 5',
      'set KUBE-LOOP',
    ]);
    await shell(removeStray(configured({ nftables: true, vni: 7 }, 'nftables')));
    const log = await readFile(join(directory, 'log'), 'utf8');
    expect(log.split('\n')).toEqual([
      'ip link delete flannel-wg',
      'ip link delete flannel.1',
      '*nat',
      ':KUBE-SERVICES - [0:0]',
      ':KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]',
      ':FLANNEL-POSTRTG - [0:0]',
      '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      '-D POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
      '-X KUBE-SERVICES',
      '-X KUBE-SVC-TCOU7JCQXEZGVUNU',
      '-X FLANNEL-POSTRTG',
      'COMMIT',
      'ipset destroy KUBE-LOOP',
      '',
    ]);
  });

  it('is nothing of flannel’s where the network is not keelson’s', async () => {
    expect(await strays({ plugin: 'none' })).toEqual(['table ip kube-proxy', 'set KUBE-LOOP']);
  });
});
