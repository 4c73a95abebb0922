export const SELINUX_CONFIG = '/etc/selinux/config';

/** Prints 1 where SELinux refuses, 0 where it only warns, nothing where it is off. */
export const SELINUX_PROBE = 'cat /sys/fs/selinux/enforce 2>/dev/null; true';

export function selinuxMode(stdout: string): 'enforcing' | 'permissive' | 'off' {
  const said = stdout.trim();
  if (said === '') return 'off';
  return said === '1' ? 'enforcing' : 'permissive';
}
