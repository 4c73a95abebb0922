import { describe, expect, it } from 'vitest';
import { apiError, readinessOf, statusOf } from '../../../src/cluster/client.js';

describe('an answer of the API server that is an error', () => {
  it('names the checks that fail, however many pass before them', () => {
    const passed = Array.from({ length: 40 }, (_, index) => `[+]poststarthook/some-long-name-${index} ok\n`);
    const body = `${passed.join('')}[-]informer-sync failed: reason withheld\n[-]etcd failed: reason withheld\n`;
    const error = apiError('GET', '/readyz', 500, body);
    expect(readinessOf(error)).toBe('not ready: informer-sync, etcd');
    expect(error.message).toBe('GET /readyz: 500 not ready: informer-sync, etcd');
    expect(statusOf(error)).toBe(500);
  });

  it('is what the server says of it otherwise', () => {
    const error = apiError('GET', '/api/v1/nodes', 403, { message: 'nodes is forbidden' });
    expect(readinessOf(error)).toBe('GET /api/v1/nodes: 403 nodes is forbidden');
  });
});
