import { spawnSync } from 'node:child_process';

/** Why tests that compare with OpenSSH's own tools can't run here; null where they can. */
export const noSshTools: string | null =
  spawnSync('ssh-keygen', ['-?']).error === undefined
    ? null
    : 'there is no ssh-keygen (apt-get install openssh-client)';
