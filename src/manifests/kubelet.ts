/** Name of the kubelet's unit. */
export const KUBELET_UNIT = 'kubelet.service';
export const KUBELET_UNIT_PATH = '/usr/lib/systemd/system/kubelet.service';
export const KUBELET_DROP_IN_PATH = '/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf';

export const KUBELET_UNIT_FILE = `[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
`;

/** The drop-in that kubeadm's packages install; kubeadm itself reads and writes the files it names. */
export const KUBELET_DROP_IN_FILE = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
# Written by kubeadm init and join, and by keelson.
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
# For flags of this host alone; KubeletConfiguration is the better place.
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`;
