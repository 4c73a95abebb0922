import { SELINUX_CONFIG, SELINUX_PROBE, selinuxMode } from '../selinux.js';
import { defineCheck, error, ok, said, warning } from './check.js';

/**
 * kubeadm's documentation asks for permissive: pods have to reach files of the host, and the kubelet's support of
 * SELinux does not cover all of it. A node that runs already is left to its owner.
 */
export const selinux = defineCheck({
  id: 'selinux',
  probes: () => ({ mode: SELINUX_PROBE }),
  judge: (subject) => {
    const name = 'SELinux';
    const mode = selinuxMode(said(subject, 'mode'));
    if (mode === 'off') return [];
    if (mode === 'permissive') return [ok(name, 'SELinux is permissive')];
    if (subject.config.spec.preparation.selinux === 'permissive')
      return [ok(name, 'SELinux is enforcing, and is set to permissive')];
    const remedy = `set preparation.selinux: permissive, or run: setenforce 0 && sed -i 's/^SELINUX=enforcing$/SELINUX=permissive/' ${SELINUX_CONFIG}`;
    const say = subject.member ? warning : error;
    return [
      say(name, 'SELinux is enforcing, which keeps pods from files of the host that they need', remedy),
    ];
  },
});
