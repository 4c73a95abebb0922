import { expect, test } from 'vitest';
import { withHostState } from '../../../src/config/edit.js';
import { expandPattern } from '../../../src/config/host-patterns.js';
import { matchHosts } from '../../../src/config/inventory.js';
import { CLUSTER, errorOf, KUBEADM, parse, stream } from './support.js';

const FLEET = `${CLUSTER.replace(/ {4}- \{name: w1.*\n/, '')}    - {name: 'w[001-200]', role: worker, address: '10.0.1.[1-200]', labels: {pool: a}}
`;

test.each([
  ['w[08-11]', ['w08', 'w09', 'w10', 'w11']],
  ['w[1-3,7].example', ['w1.example', 'w2.example', 'w3.example', 'w7.example']],
  ['w1', ['w1']],
  ['w[3-1]', null],
  ['w[a-c]', null],
  ['w[1-2]x[1-2]', null],
  ['w[1-99999]', null],
  ['w]', null],
])('%s stands for %j', (pattern, expected) => {
  expect(expandPattern(pattern)).toEqual(expected);
});

test('an entry with a pattern is as many hosts, addresses counted along, all else as it stands', () => {
  const { hosts } = parse(stream(FLEET, KUBEADM));
  expect(hosts).toHaveLength(201);
  expect(hosts[7]).toMatchObject({ name: 'w007', nodeIP: '10.0.1.7', labels: { pool: 'a' } });
  expect(hosts.at(-1)).toMatchObject({ name: 'w200', ssh: { address: '10.0.1.200' } });
});

test('a host with an entry of its own is not taken from the pattern', () => {
  const own = `${FLEET}    - {name: w007, role: worker, address: 10.0.2.7, state: absent}\n`;
  const { hosts } = parse(stream(own, KUBEADM));
  expect(hosts).toHaveLength(201);
  expect(hosts.filter(({ name }) => name === 'w007')).toMatchObject([
    { state: 'absent', nodeIP: '10.0.2.7' },
  ]);
});

test('what is wrong with a pattern is said where it stands', () => {
  const counted = errorOf(stream(FLEET.replace('[1-200]', '[1-100]'), KUBEADM));
  expect(counted.message).toMatch(
    /c\.yaml:7:\d+ spec\.hosts\[1\]\.address: the name stands for 200 hosts, this for 100/,
  );
  expect(errorOf(stream(FLEET.replace('10.0.1.[1-200]', '10.0.1.1'), KUBEADM)).message).toMatch(/this for 1/);
  expect(errorOf(stream(FLEET.replace('[001-200]', '[x]'), KUBEADM)).message).toMatch(
    /brackets hold numbers/,
  );
  expect(errorOf(stream(FLEET.replace('[1-200]', '[101-300]'), KUBEADM)).message).toMatch(/c\.yaml:7:/);
});

test('the state of one of them is written as an entry of its own', () => {
  const text = withHostState(stream(FLEET, KUBEADM), 'w007', 'absent');
  expect(text).toContain('w[001-200]');
  const { hosts } = parse(text);
  expect(hosts).toHaveLength(201);
  expect(hosts.filter(({ state }) => state === 'absent').map(({ name, nodeIP }) => [name, nodeIP])).toEqual([
    ['w007', '10.0.1.7'],
  ]);
});

test('hosts are chosen by name, by number and by beginning', () => {
  const config = parse(stream(FLEET, KUBEADM));
  expect(matchHosts(config, ['w[199-200]', 'cp1'])).toEqual(['cp1', 'w199', 'w200']);
  expect(matchHosts(config, ['w00*'])).toHaveLength(9);
  expect(matchHosts(config, ['*'])).toHaveLength(201);
  expect(() => matchHosts(config, ['x*'])).toThrowError(expect.objectContaining({ code: 'USAGE' }));
  expect(() => matchHosts(config, ['w[200-201]'])).toThrow(/w201/);
});
