import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dump, kubeadmCluster, kubeadmReset } from '../e2e/cluster-objects.js';
import {
  CONTROL_PLANE_KUBECTL,
  drift,
  type E2eLab,
  labDown,
  labUp,
  onNode,
  succeed,
} from '../e2e/support.js';

const NAME = 'longupobj';
const OLD = 'v1.35.4';
const NEW = 'v1.36.3';
const NODES = ['cp1', 'w1'];
const IGNORE = '--ignore-preflight-errors=SystemVerification';

/** Its process. */
const API_SERVER = 'pgrep -x kube-apiserver';

/** A kubelet of another minor starts all static pods anew: until another API server is ready, and the nodes are. */
const awaitNew = (before: string) => {
  const ready = '{range .items[*]}{.status.nodeInfo.kubeletVersion}{.status.conditions[-1].status} {end}';
  const wanted = NODES.map(() => `${NEW}True `).join('');
  return `for i in $(seq 180); do
  now=$(${API_SERVER}) && [ "$now" != '${before}' ] &&
    ${CONTROL_PLANE_KUBECTL} get --raw /readyz > /dev/null &&
    [ "$(${CONTROL_PLANE_KUBECTL} get nodes -o jsonpath='${ready}')" = '${wanted}' ] && exit 0
  sleep 1
done 2> /dev/null
exit 1`;
};

describe('an upgraded cluster of a control plane and a worker', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp(NAME, '--kubernetes-version', OLD, '--workers', '1', '--no-cluster');
  });
  afterAll(() => labDown(NAME));

  const phases = async (file: string, ...names: string[]) => {
    for (const name of names) await succeed('phase', 'run', name, '-c', file);
  };

  /** Programs and images of the new version, before there is a cluster that has another. */
  async function bringNew(): Promise<void> {
    const file = join(lab.directory, 'new.yaml');
    writeFileSync(file, readFileSync(lab.clusterFile, 'utf8').replaceAll(OLD, NEW));
    await phases(file, 'host/prepare', 'runtime/containerd', 'kubelet/install', 'kubelet/tools', 'images');
    const keep = 'mkdir -p /root/new && cp /usr/bin/kubeadm /usr/bin/kubelet /root/new';
    for (const node of NODES) await onNode(lab, node, keep);
  }

  /** Upgrades what kubeadm has made with kubeadm, as its documentation says. */
  async function kubeadmUpgrade(): Promise<void> {
    for (const node of NODES) await onNode(lab, node, 'cp /root/new/kubeadm /usr/bin/kubeadm');
    await onNode(lab, 'cp1', `kubeadm upgrade apply ${NEW} -y ${IGNORE}`);
    await onNode(lab, 'w1', `kubeadm upgrade node ${IGNORE}`);
    const kubelet = 'cp /root/new/kubelet /usr/bin/kubelet.new && mv /usr/bin/kubelet.new /usr/bin/kubelet';
    const server = await onNode(lab, 'cp1', API_SERVER);
    for (const node of NODES) await onNode(lab, node, `${kubelet} && systemctl restart kubelet`);
    await onNode(lab, 'cp1', awaitNew(server.trim()));
  }

  it('has the objects that it would have, had kubeadm made and upgraded it', async () => {
    await bringNew();
    await kubeadmCluster(lab);
    // kubeadm upgrades only a cluster whose nodes are Ready.
    await phases(lab.clusterFile, 'network/flannel');
    await kubeadmUpgrade();
    const theirs = await dump(lab);
    await kubeadmReset(lab, NODES);
    await succeed('apply', '-c', lab.clusterFile);
    await succeed('upgrade', 'apply', '--to', NEW, '--yes', '--no-snapshot', '-c', lab.clusterFile);
    const ours = await dump(lab);
    expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
    for (const [name, object] of theirs) expect.soft(ours.get(name), name).toEqual(object);
  });

  it('is one that kubeadm can plan for, and whose nodes it upgrades', async () => {
    const planned = await onNode(lab, 'cp1', `kubeadm upgrade plan ${NEW} ${IGNORE} 2>&1`);
    expect(planned).toContain(`Target version: ${NEW}`);
    for (const node of NODES) {
      const upgraded = await onNode(lab, node, `kubeadm upgrade node ${IGNORE} 2>&1`);
      expect(upgraded).toContain('The kubelet configuration for this node was successfully upgraded');
    }
    expect(await drift(lab)).toEqual([]);
  });
});
