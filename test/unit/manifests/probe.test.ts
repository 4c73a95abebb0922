import { describe, expect, it } from 'vitest';
import { PROBE_LABEL, probeDaemonSet, probeSurroundings, wanderer } from '../../../src/manifests/probe.js';

const SETTINGS = { namespace: 'keelson-verify-1', image: 'registry.example/agnhost:1' };

describe('the probe', () => {
  const pod = probeDaemonSet(SETTINGS).spec?.template.spec;

  it('runs on every node, whatever its taints', () => {
    expect(pod?.tolerations).toEqual([{ operator: 'Exists' }]);
  });

  it('never pulls its image, and holds no credentials of the cluster', () => {
    expect(pod?.containers.map((container) => container.imagePullPolicy)).toEqual(['Never']);
    expect(pod?.automountServiceAccountToken).toBe(false);
  });

  it('fits the restricted pod security standard', () => {
    expect(pod?.containers[0]?.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
  });

  it('is labelled in all that outlives a crash, so that the next run finds it', () => {
    const { namespace, rest } = probeSurroundings(SETTINGS);
    expect(namespace.metadata?.labels).toHaveProperty([PROBE_LABEL]);
    expect(rest.map((object) => object.metadata?.namespace)).toEqual(rest.map(() => SETTINGS.namespace));
    expect(probeDaemonSet(SETTINGS).spec?.template.metadata?.labels).toHaveProperty([PROBE_LABEL]);
  });
});

describe('the pod that is to be rescheduled', () => {
  const spec = wanderer(SETTINGS, ['w1', 'w2']).spec?.template.spec;

  it('leaves a lost node at once', () => {
    expect(spec?.tolerations?.map((one) => [one.key, one.tolerationSeconds])).toEqual([
      ['node.kubernetes.io/not-ready', 0],
      ['node.kubernetes.io/unreachable', 0],
    ]);
  });

  it('stays on the given nodes', () => {
    const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    expect(required?.nodeSelectorTerms[0]?.matchExpressions).toEqual([
      { key: 'kubernetes.io/hostname', operator: 'In', values: ['w1', 'w2'] },
    ]);
  });
});
