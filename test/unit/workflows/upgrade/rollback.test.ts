import { describe, expect, it } from 'vitest';
import { storeObstacle } from '../../../../src/workflows/upgrade/rollback.js';

const etcd = (from: string, to: string) => ({ from, to });

describe('storeObstacle', () => {
  it('has nothing against a patch or a minor back', () => {
    expect(storeObstacle({ from: 'v1.36.3', to: 'v1.36.1' }, etcd('3.6.8-0', '3.6.8-0'))).toBeNull();
    expect(storeObstacle({ from: 'v1.36.3', to: 'v1.35.4' }, etcd('3.6.8-0', '3.6.6-0'))).toBeNull();
  });

  it('does not let an older etcd read data of a newer minor', () => {
    expect(storeObstacle({ from: 'v1.34.4', to: 'v1.33.9' }, etcd('3.6.4-0', '3.5.24-0'))).toContain(
      '3.5.24-0',
    );
    expect(storeObstacle({ from: 'v1.34.4', to: 'v1.33.9' }, null)).toBeNull();
  });

  it('does not let an API server read what one two minors newer wrote', () => {
    expect(storeObstacle({ from: 'v1.36.3', to: 'v1.34.4' }, null)).toContain('more than a minor');
  });
});
