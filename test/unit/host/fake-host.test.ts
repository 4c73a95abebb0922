import { describe, expect, it } from 'vitest';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { createFakeHost } from '../../fakes/fake-host.js';

describe('the fake host', () => {
  it('fails a command that nobody told it about', async () => {
    await expect(createFakeHost().exec(['true'])).rejects.toThrow('has no answer to: true');
    await expect(createFakeHost().read({ probes: { a: 'true' } })).rejects.toThrow('has no answer to: ?a');
  });

  it('answers by the last rule that matches', async () => {
    const host = createFakeHost();
    host.on(/^kubeadm /, { stdout: 'any' });
    host.on('kubeadm version', { stdout: 'exact' });
    host.on(/^echo/, (command) => ({ stdout: command.toUpperCase() }));
    expect((await host.exec(['kubeadm', 'version'])).stdout.toString()).toBe('exact');
    expect((await host.exec(['kubeadm', 'init'])).stdout.toString()).toBe('any');
    expect((await host.exec(['echo', 'a'])).stdout.toString()).toBe('ECHO A');
  });

  it('fails the nth operation, once', async () => {
    const host = createFakeHost();
    host.failAt(2, new KeelsonError('CONNECTION', 'gone'));
    await host.facts();
    await expect(host.facts()).rejects.toMatchObject({ message: 'gone' });
    await host.facts();
  });

  it('records who asked what, and what of it changes the host', async () => {
    const host = createFakeHost({ units: { 'kubelet.service': {} } });
    host.on('true', {});
    await host.query(['true']);
    await host.asRoot().put([{ path: '/a', content: Buffer.from('x'), mode: 0o600 }]);
    await host.asRoot().service('start', 'kubelet.service');
    expect(host.mutations()).toEqual([
      { kind: 'put', what: '/a', root: true },
      { kind: 'service', what: 'start kubelet.service', root: true },
    ]);
    expect(host.calls).toHaveLength(3);
    const { units } = await host.read({ units: ['kubelet.service'] });
    expect(units.get('kubelet.service')?.active).toBe('active');
  });

  it('is unreachable once it is dropped', async () => {
    const host = createFakeHost();
    host.drop();
    await expect(host.read({ files: ['/a'] })).rejects.toMatchObject({ code: 'CONNECTION' });
  });
});
