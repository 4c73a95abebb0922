import { describe, expect, it } from 'vitest';
import { type RunningVersions, skewFindings } from '../../../../src/workflows/upgrade/skew.js';

const HOP = [{ from: 'v1.35.4', to: 'v1.36.3' }];

const running = (
  servers: Record<string, string>,
  kubelets: RunningVersions['kubelets'] = [],
): RunningVersions => ({ apiServers: new Map(Object.entries(servers)), kubelets });

describe('skewFindings', () => {
  it('has nothing against a cluster of one version', () => {
    const kubelets = [{ node: 'w1', version: 'v1.35.4', managed: true }];
    expect(skewFindings(running({ cp1: 'v1.35.4', cp2: 'v1.35.4' }, kubelets), HOP)).toEqual([]);
  });

  it('lets an upgrade go on that stopped between two control planes', () => {
    expect(skewFindings(running({ cp1: 'v1.36.3', cp2: 'v1.35.4' }), HOP)).toEqual([]);
  });

  it('refuses API servers that are more than a minor apart', () => {
    const [finding] = skewFindings(running({ cp1: 'v1.36.3', cp2: 'v1.34.1' }), HOP);
    expect(finding).toMatchObject({ host: 'cp2', severity: 'error', check: 'VersionSkew' });
  });

  it('refuses a kubelet that would be newer than the API server', () => {
    const kubelets = [{ node: 'w1', version: 'v1.37.0', managed: true }];
    expect(skewFindings(running({ cp1: 'v1.35.4' }, kubelets), HOP)[0]?.message).toContain('newer');
  });

  it('refuses a kubelet that would be more than three minors behind', () => {
    const behind = (version: string) =>
      skewFindings(running({ cp1: 'v1.35.4' }, [{ node: 'w1', version, managed: true }]), HOP).length;
    expect([behind('v1.33.0'), behind('v1.32.0')]).toEqual([0, 1]);
  });

  it('holds a node that the file has not to the last step, since nobody upgrades it', () => {
    const path = [
      { from: 'v1.33.1', to: 'v1.34.10' },
      { from: 'v1.34.10', to: 'v1.35.4' },
      { from: 'v1.35.4', to: 'v1.36.3' },
    ];
    const kubelet = (managed: boolean) => [{ node: 'x1', version: 'v1.32.0', managed }];
    expect(skewFindings(running({ cp1: 'v1.33.1' }, kubelet(true)), path)).toEqual([]);
    expect(skewFindings(running({ cp1: 'v1.33.1' }, kubelet(false)), path)).toHaveLength(1);
  });
});
