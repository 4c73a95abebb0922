import { describe, expect, it } from 'vitest';
import { parseJumpHost, parseSshConfig, withSshConfig } from '../../../src/host/ssh-config.js';

const OUTPUT = `host cp1
user admin
hostname 10.0.0.11
port 2222
identityfile ~/.ssh/id_ed25519
identityfile /keys/work key
proxyjump bastion.example.org,ops@[2001:db8::1]:2200
globalknownhostsfile /etc/ssh/ssh_known_hosts
userknownhostsfile /home/me/.ssh/known_hosts ~/.ssh/known_hosts2
identityagent ~/agent.sock
`;

describe('the output of ssh -G', () => {
  it('is read for what concerns connecting', () => {
    expect(parseSshConfig(OUTPUT, '/home/me')).toEqual({
      hostname: '10.0.0.11',
      user: 'admin',
      port: 2222,
      identityFiles: ['/home/me/.ssh/id_ed25519', '/keys/work key'],
      proxyJump: ['bastion.example.org', 'ops@[2001:db8::1]:2200'],
      knownHostsFiles: [
        '/home/me/.ssh/known_hosts',
        '/home/me/.ssh/known_hosts2',
        '/etc/ssh/ssh_known_hosts',
      ],
      identityAgent: '/home/me/agent.sock',
    });
  });

  it('may switch the agent, the jump and the files off', () => {
    const text = 'identityagent none\nproxyjump none\nuserknownhostsfile none\n';
    expect(parseSshConfig(text, '/h')).toEqual({
      identityFiles: [],
      proxyJump: [],
      knownHostsFiles: [],
      identityAgent: null,
    });
    expect(parseSshConfig('identityagent SSH_AUTH_SOCK\n', '/h').identityAgent).toBeUndefined();
  });

  it('fills in only what the settings leave open', () => {
    const client = parseSshConfig(OUTPUT, '/home/me');
    const settings = {
      address: 'cp1',
      port: 22,
      user: 'root',
      knownHostsFiles: ['/k'],
      jumpHosts: [],
      agent: true,
      useSshConfig: true,
    };
    expect(withSshConfig(settings, client)).toEqual({
      ...settings,
      address: '10.0.0.11',
      jumpHosts: ['bastion.example.org', 'ops@[2001:db8::1]:2200'],
    });
    const open = withSshConfig(
      { ...settings, port: 0, user: '', knownHostsFiles: [], jumpHosts: ['j'] },
      client,
    );
    expect(open).toMatchObject({
      port: 2222,
      user: 'admin',
      jumpHosts: ['j'],
      knownHostsFiles: client.knownHostsFiles,
    });
  });
});

describe('a jump host', () => {
  it.each([
    ['bastion', { host: 'bastion' }],
    ['me@bastion:2200', { user: 'me', host: 'bastion', port: 2200 }],
    ['[fe80::1]:2200', { host: 'fe80::1', port: 2200 }],
    ['me@[fe80::1]', { user: 'me', host: 'fe80::1' }],
    ['ssh://me@bastion:22', { user: 'me', host: 'bastion', port: 22 }],
  ])('is read from %j', (text, jump) => {
    expect(parseJumpHost(text)).toEqual(jump);
  });

  it.each(['', 'a:b', 'a:0', 'a:99999', 'fe80::1', '@host', 'a b:x'])('is not read from %j', (text) => {
    expect(parseJumpHost(text)).toBeNull();
  });
});
