/** Paths that several phases read or write, as kubeadm has them. */
export const KUBELET_CONFIG = '/var/lib/kubelet/config.yaml';
export const KUBELET_INSTANCE_CONFIG = '/var/lib/kubelet/instance-config.yaml';
export const KUBELET_FLAGS = '/var/lib/kubelet/kubeadm-flags.env';
export const KUBELET_CONF = '/etc/kubernetes/kubelet.conf';
export const BOOTSTRAP_KUBELET_CONF = '/etc/kubernetes/bootstrap-kubelet.conf';
export const MANIFESTS_DIR = '/etc/kubernetes/manifests';
/** Where a kubelet keeps the client certificate that it rotates; kubelet.conf points to it. */
export const KUBELET_CLIENT_CERTIFICATE = '/var/lib/kubelet/pki/kubelet-client-current.pem';
/** Where a kubelet that asks the cluster for its serving certificate (serverTLSBootstrap) keeps it. */
export const KUBELET_SERVER_CERTIFICATE = '/var/lib/kubelet/pki/kubelet-server-current.pem';
/** Where manifests lie while etcd is brought back: on the same filesystem, so that moving them is one step. */
export const ASIDE_DIR = '/etc/kubernetes/keelson-aside';
