import { describe, expect, it } from 'vitest';
import { apiPods, controllerPods } from '../../../../src/phases/control-plane/static-pods.js';
import { fakeSession } from '../../workflows/fixture.js';

const ASIDE = '/etc/kubernetes/keelson-aside';

describe('manifests of a control plane', () => {
  it.each([...apiPods, ...controllerPods])(
    'are not written while etcd is being brought back: $name',
    async (phase) => {
      const { context, fakes } = fakeSession();
      const host = fakes.get('cp1');
      if (host === undefined) throw new Error('no host');
      const look = async () => phase.plan(context, 'cp1', await host.read(phase.observe(context, 'cp1')));
      expect((await look()).standing).toBe('missing');
      host.files.set(ASIDE, { content: Buffer.from(''), mode: 0o700, owner: 'root:root', type: 'directory' });
      const verdict = await look();
      expect(verdict).toMatchObject({ standing: 'blocked', changes: [] });
      expect(verdict.reasons[0]).toContain('run keelson etcd restore or recover again');
    },
  );
});
