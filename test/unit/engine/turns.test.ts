import { describe, expect, it } from 'vitest';
import { turns } from '../../../src/engine/turns.js';
import { gate, settle } from './support.js';

/** Starts a piece of work that ends when its gate is opened; `log` says what has begun. */
function pieces(take: ReturnType<typeof turns>) {
  const log: string[] = [];
  const start = (name: string, leads = false) => {
    const door = gate();
    const ended = take(leads, async () => {
      log.push(name);
      await door.passed;
    });
    return async () => {
      door.open();
      await ended;
      await settle();
    };
  };
  return { log, start };
}

describe('turns', () => {
  it('runs no more at once than is allowed, in the order of arrival', async () => {
    const { log, start } = pieces(turns(2, 0));
    const [endA] = [start('a'), start('b'), start('c')];
    await settle();
    expect(log).toEqual(['a', 'b']);
    await endA();
    expect(log).toEqual(['a', 'b', 'c']);
  });

  it('lets leaders go first, and one other at most, until the last of them is done', async () => {
    const { log, start } = pieces(turns(3, 2));
    const [endA] = [start('a'), start('b')];
    const endLeader = start('leader', true);
    await settle();
    expect(log).toEqual(['leader']);
    await endLeader();
    expect(log).toEqual(['leader', 'a']);
    const endLast = start('last leader', true);
    await settle();
    expect(log).toEqual(['leader', 'a', 'last leader']);
    await endA();
    expect(log).toEqual(['leader', 'a', 'last leader']);
    await endLast();
    expect(log).toEqual(['leader', 'a', 'last leader', 'b']);
  });
});
