import { describe, expect, it } from 'vitest';
import type { Change, TaskPlan } from '../../../../src/engine/types.js';
import { imagesOf } from '../../../../src/workflows/upgrade/manifest-images.js';

const task = (...changes: Change[]): TaskPlan => ({
  phase: 'control-plane/scheduler',
  host: 'cp1',
  standing: 'drifted',
  reasons: [],
  changes,
});
const write = (path: string, text: string): Change => ({
  kind: 'file',
  op: 'update',
  path,
  mode: 0o600,
  content: { kind: 'text', text },
  reason: 'changed',
});

describe('imagesOf', () => {
  it('are those of manifests of static pods that are written, each once', () => {
    const manifest =
      'spec:\n  containers:\n  - image: registry.k8s.io/kube-scheduler:v1.36.3\n    name: a\n  - name: b\n    image: "other:1"\n';
    expect(
      imagesOf([
        task(write('/etc/kubernetes/manifests/kube-scheduler.yaml', manifest)),
        task(write('/etc/kubernetes/manifests/kube-apiserver.yaml', manifest)),
        task(write('/etc/containerd/config.toml', 'image: no-pod\n')),
      ]),
    ).toEqual(['other:1', 'registry.k8s.io/kube-scheduler:v1.36.3']);
  });
});
