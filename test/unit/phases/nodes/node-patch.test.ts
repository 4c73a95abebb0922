import { describe, expect, it } from 'vitest';
import { describePatch, MANAGED_ANNOTATION, nodePatch } from '../../../../src/phases/nodes/node-patch.js';
import { fakeNode } from '../../../fakes/fake-api.js';

const GPU = { key: 'gpu', value: 'yes', effect: 'NoSchedule' } as const;
const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane:NoSchedule';
const CONTROL_PLANE_TAINT = { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' } as const;

const remembered = (labels: string[], taints: string[] = []) => ({
  [MANAGED_ANNOTATION]: JSON.stringify({ labels, taints }),
});

describe('nodePatch', () => {
  it('is nothing for a node that the file says nothing of', () => {
    const node = fakeNode('w1', { labels: { other: 'x' } }, { taints: [GPU] });
    expect(nodePatch(node, { labels: {}, taints: null })).toBeNull();
    expect(nodePatch(node, { labels: {}, taints: [] })).toBeNull();
  });

  it('sets labels and taints, and remembers that it did', () => {
    const patch = nodePatch(fakeNode('w1'), { labels: { disk: 'ssd' }, taints: [GPU] });
    expect(patch).toEqual({
      labels: { disk: 'ssd' },
      annotations: remembered(['disk'], ['gpu:NoSchedule']),
      setTaints: [GPU],
      removeTaints: [],
    });
  });

  it('takes away what an earlier file gave, and nothing that others did', () => {
    const node = fakeNode(
      'w1',
      {
        labels: { disk: 'ssd', zone: 'a', mine: '1' },
        annotations: remembered(['disk', 'zone'], ['gpu:NoSchedule']),
      },
      { taints: [GPU, { key: 'others', effect: 'NoExecute' }] },
    );
    const patch = nodePatch(node, { labels: { zone: 'b' }, taints: null });
    expect(patch).toEqual({
      labels: { disk: null, zone: 'b' },
      annotations: remembered(['zone']),
      setTaints: [],
      removeTaints: [GPU],
    });
    expect(patch && describePatch(patch)).toBe('zone=b, -disk, -gpu:NoSchedule');
  });

  it('forgets the annotation with the last label', () => {
    const node = fakeNode('w1', { labels: { disk: 'ssd' }, annotations: remembered(['disk']) });
    expect(nodePatch(node, { labels: {}, taints: null })).toMatchObject({
      labels: { disk: null },
      annotations: { [MANAGED_ANNOTATION]: null },
    });
  });

  it('corrects the value of a taint', () => {
    const node = fakeNode(
      'w1',
      { annotations: remembered([], ['gpu:NoSchedule']) },
      { taints: [{ ...GPU, value: 'no' }] },
    );
    expect(nodePatch(node, { labels: {}, taints: [GPU] })).toMatchObject({
      setTaints: [GPU],
      annotations: {},
    });
  });

  it('takes the role’s taint away where the file lists others, and never where it says nothing', () => {
    const node = fakeNode('cp1', {}, { taints: [CONTROL_PLANE_TAINT] });
    expect(nodePatch(node, { labels: {}, taints: [] }, [CONTROL_PLANE])).toMatchObject({
      removeTaints: [CONTROL_PLANE_TAINT],
    });
    const listed = fakeNode(
      'cp1',
      { annotations: remembered([], [CONTROL_PLANE]) },
      { taints: [CONTROL_PLANE_TAINT] },
    );
    expect(nodePatch(listed, { labels: {}, taints: null }, [CONTROL_PLANE])?.removeTaints).toEqual([]);
  });

  it('takes nothing away because of an annotation that nobody can read', () => {
    const node = fakeNode('w1', {
      labels: { disk: 'ssd' },
      annotations: { [MANAGED_ANNOTATION]: '{"labels":7' },
    });
    expect(nodePatch(node, { labels: {}, taints: null })?.labels).toEqual({});
  });
});
