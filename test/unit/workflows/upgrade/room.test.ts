import { describe, expect, it } from 'vitest';
import { fullDirectories } from '../../../../src/workflows/upgrade/room.js';

describe('fullDirectories', () => {
  it('names those with too little room to change a host, and to go back', () => {
    expect(fullDirectories('64 /var/lib/keelson\n8 /var/log\n0 /var/lib/my etcd\n')).toEqual([
      { directory: '/var/log', mebibytes: 8 },
      { directory: '/var/lib/my etcd', mebibytes: 0 },
    ]);
  });
});
