import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseVagrantStatus } from '../../../../src/lab/vagrant/command.js';
import { knownHostsOf, parseVagrantSshConfig } from '../../../../src/lab/vagrant/ssh-config.js';

const testdata = (name: string) => readFileSync(new URL(`testdata/${name}`, import.meta.url), 'utf8');

describe('the output of vagrant ssh-config', () => {
  it("names VirtualBox's machines by their forwarded ports", () => {
    const logins = parseVagrantSshConfig(testdata('ssh-config-virtualbox-ha'));
    expect(logins.map(({ name, address, port }) => `${name} ${address}:${port}`)).toEqual([
      'cp1 127.0.0.1:2222',
      'cp2 127.0.0.1:2200',
      'cp3 127.0.0.1:2201',
      'w1 127.0.0.1:2202',
      'w2 127.0.0.1:2203',
    ]);
    expect(logins[4]).toEqual({
      name: 'w2',
      address: '127.0.0.1',
      port: 2203,
      user: 'vagrant',
      identityFile: '/home/ann/k8s/.keelson/lab/demo/vagrant/machines/w2/virtualbox/private_key',
    });
  });

  it("names libvirt's machines by their addresses", () => {
    expect(
      parseVagrantSshConfig(testdata('ssh-config-libvirt-small')).map(({ address, port }) => [address, port]),
    ).toEqual([
      ['192.168.121.34', 22],
      ['192.168.121.187', 22],
      ['192.168.121.9', 22],
    ]);
  });

  it('may have quoted paths with spaces', () => {
    expect(parseVagrantSshConfig(testdata('ssh-config-virtualbox-single'))[0]?.identityFile).toBe(
      '/Users/ann/my labs/.keelson/lab/demo/vagrant/machines/cp1/virtualbox/private_key',
    );
  });

  it('offers the first of several keys', () => {
    const text = 'Host cp1\n  HostName 10.0.0.1\n  IdentityFile /a\n  IdentityFile /b\n';
    expect(parseVagrantSshConfig(text)).toEqual([
      { name: 'cp1', address: '10.0.0.1', port: 22, user: 'vagrant', identityFile: '/a' },
    ]);
  });

  it('is refused for a machine that logs in without a key', () => {
    expect(() => parseVagrantSshConfig('Host cp1\n  HostName 10.0.0.1\n  Port 22\n')).toThrow(
      'does not say how to log in to cp1',
    );
  });
});

describe('known_hosts of a Vagrant machine', () => {
  const keys = 'ecdsa-sha2-nistp256 AAAAE2 root@cp1\nssh-ed25519 AAAAC3 root@cp1\n\nnot a key\n';

  it('has every host key of it, under its forwarded port', () => {
    expect(knownHostsOf({ address: '127.0.0.1', port: 2222 }, keys)).toBe(
      '[127.0.0.1]:2222 ecdsa-sha2-nistp256 AAAAE2\n[127.0.0.1]:2222 ssh-ed25519 AAAAC3\n',
    );
  });

  it('needs no port where that is 22', () => {
    expect(knownHostsOf({ address: '192.168.121.9', port: 22 }, 'ssh-ed25519 AAAAC3')).toBe(
      '192.168.121.9 ssh-ed25519 AAAAC3\n',
    );
  });
});

describe('the output of vagrant status', () => {
  it('tells machines that were never made', () => {
    expect([...parseVagrantStatus(testdata('status-libvirt'))]).toEqual([['cp1', 'missing']]);
  });

  it("knows all providers' words for a machine that is off", () => {
    const text = ['running', 'poweroff', 'saved', 'aborted', 'shutoff', 'paused']
      .map((state, i) => `1795434371,w${i + 1},state,${state}`)
      .join('\n');
    expect([...parseVagrantStatus(text).values()]).toEqual(['running', ...Array(5).fill('stopped')]);
  });
});
