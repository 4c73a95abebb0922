import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dump, kubeadmCluster, kubeadmReset } from './cluster-objects.js';
import { type E2eLab, labDown, labUp, succeed } from './support.js';

describe('the objects of a cluster', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2eobj', '--workers', '1', '--no-cluster');
  });
  afterAll(() => labDown('e2eobj'));

  it('equal those that kubeadm creates from the same documents', async () => {
    await kubeadmCluster(lab);
    const theirs = await dump(lab);
    await kubeadmReset(lab, ['cp1', 'w1']);
    await succeed('apply', '-c', lab.clusterFile);
    const ours = await dump(lab);
    expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
    for (const [name, object] of theirs) expect(ours.get(name), name).toEqual(object);
  });
});
