import { describe, expect, it } from 'vitest';
import { type MemberHealth, removalObstacle, removalOrder } from '../../../src/cluster/etcd-quorum.js';

const up = (name: string): MemberHealth => ({ id: name, name, learner: false, healthy: true });
const down = (name: string): MemberHealth => ({ ...up(name), healthy: false });
const learner = (name: string): MemberHealth => ({ ...up(name), learner: true });

describe('removalObstacle', () => {
  it.each([
    ['one of three healthy members', [up('a'), up('b'), up('c')], ['c']],
    ['the dead one of three', [up('a'), up('b'), down('c')], ['c']],
    ['one of two healthy members', [up('a'), up('b')], ['b']],
    ['two of three healthy members', [up('a'), up('b'), up('c')], ['b', 'c']],
    ['the dead ones of five', [up('a'), up('b'), up('c'), down('d'), down('e')], ['d', 'e']],
    ['a learner', [up('a'), learner('b')], ['b']],
    ['nobody', [up('a'), down('b'), down('c')], []],
  ])('lets go %s', (_, members, leaving) => {
    expect(removalObstacle(members, leaving)).toBeNull();
  });

  it('refuses a healthy member of three while another is down', () => {
    expect(removalObstacle([up('a'), up('b'), down('c')], ['b'])).toBe(
      'without b etcd would lose its quorum: of the 2 voting members that stay, c is down and 2 are needed',
    );
  });

  it('refuses to change members without a quorum, also a dead one', () => {
    expect(removalObstacle([up('a'), down('b')], ['b'])).toMatch(/no quorum: 1 of 2 .* 2 are needed/);
    expect(removalObstacle([up('a'), down('b'), down('c')], ['c'])).toMatch(/no quorum/);
  });

  it('refuses the last voting member', () => {
    expect(removalObstacle([up('a'), learner('b')], ['a'])).toBe(
      'a would leave etcd without a voting member',
    );
  });
});

describe('removalOrder', () => {
  it('takes out dead members first', () => {
    expect(removalOrder([up('a'), up('b'), down('c')], ['b', 'c'])).toEqual(['c', 'b']);
  });
});
