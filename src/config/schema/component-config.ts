import * as z from 'zod';

/**
 * Top-level fields of the kubelet's and kube-proxy's configuration: the Go types of k8s.io/kubelet
 * config/v1beta1 and k8s.io/kube-proxy config/v1alpha1 at v0.36.3. What is inside them is passed through.
 */
const KUBELET_FIELDS = words(`
address allowedUnsafeSysctls authentication authorization cgroupDriver cgroupRoot cgroupsPerQOS 
clusterDNS clusterDomain configMapAndSecretChangeDetectionStrategy containerLogMaxFiles 
containerLogMaxSize containerLogMaxWorkers containerLogMonitorInterval containerRuntimeEndpoint 
contentType cpuCFSQuota cpuCFSQuotaPeriod cpuManagerPolicy cpuManagerPolicyOptions 
cpuManagerReconcilePeriod crashLoopBackOff enableContentionProfiling enableControllerAttachDetach 
enableDebugFlagsHandler enableDebuggingHandlers enableProfilingHandler enableServer 
enableSystemLogHandler enableSystemLogQuery enforceNodeAllocatable eventBurst eventRecordQPS 
evictionHard evictionMaxPodGracePeriod evictionMinimumReclaim evictionPressureTransitionPeriod 
evictionSoft evictionSoftGracePeriod failCgroupV1 failSwapOn featureGates fileCheckFrequency 
hairpinMode healthzBindAddress healthzPort httpCheckFrequency imageGCHighThresholdPercent 
imageGCLowThresholdPercent imageMaximumGCAge imageMinimumGCAge imagePullCredentialsVerificationPolicy 
imageServiceEndpoint iptablesDropBit iptablesMasqueradeBit kernelMemcgNotification kubeAPIBurst 
kubeAPIQPS kubeReserved kubeReservedCgroup kubeletCgroups localStorageCapacityIsolation logging 
makeIPTablesUtilChains maxOpenFiles maxParallelImagePulls maxPods memoryManagerPolicy 
memoryReservationPolicy memorySwap memoryThrottlingFactor mergeDefaultEvictionSettings 
nodeLeaseDurationSeconds nodeStatusMaxImages nodeStatusReportFrequency nodeStatusUpdateFrequency 
oomScoreAdj podCIDR podLogsDir podPidsLimit podsPerCore port preloadedImagesVerificationAllowlist 
protectKernelDefaults providerID qosReserved readOnlyPort registerNode registerWithTaints registryBurst 
registryPullQPS reservedMemory reservedSystemCPUs resolvConf rotateCertificates runOnce 
runtimeRequestTimeout seccompDefault serializeImagePulls serverTLSBootstrap showHiddenMetricsForVersion 
shutdownGracePeriod shutdownGracePeriodByPodPriority shutdownGracePeriodCriticalPods 
singleProcessOOMKill staticPodPath staticPodURL staticPodURLHeader streamingConnectionIdleTimeout 
syncFrequency systemCgroups systemReserved systemReservedCgroup tlsCertFile tlsCipherSuites 
tlsCurvePreferences tlsMinVersion tlsPrivateKeyFile topologyManagerPolicy topologyManagerPolicyOptions 
topologyManagerScope tracing userNamespaces volumePluginDir volumeStatsAggPeriod `);

const KUBE_PROXY_FIELDS = words(`
bindAddress bindAddressHardFail clientConnection clusterCIDR configSyncPeriod conntrack detectLocal 
detectLocalMode enableProfiling featureGates healthzBindAddress hostnameOverride iptables ipvs logging 
metricsBindAddress mode nftables nodePortAddresses oomScoreAdj portRange showHiddenMetricsForVersion 
windowsRunAsService winkernel `);

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function passedThrough(fields: readonly string[]): Record<string, z.ZodOptional<z.ZodUnknown>> {
  return Object.fromEntries(fields.map((field) => [field, z.unknown().optional()]));
}

/** kubelet.config.k8s.io/v1beta1 KubeletConfiguration, as a user writes it. */
export const kubeletConfiguration = z
  .strictObject({
    ...passedThrough(KUBELET_FIELDS),
    apiVersion: z.literal('kubelet.config.k8s.io/v1beta1'),
    kind: z.literal('KubeletConfiguration'),
    cgroupDriver: z.enum(['systemd', 'cgroupfs']).optional().describe('Default systemd.'),
    maxPods: z.int().optional().describe('Pods on a node, at most.'),
    failSwapOn: z.boolean().optional().describe('Refuse to start on a host with swap.'),
    failCgroupV1: z.boolean().optional().describe('Refuse to start on a host with cgroup v1.'),
    serializeImagePulls: z.boolean().optional().describe('Pull images one after the other.'),
    featureGates: z.record(z.string(), z.boolean()).optional().describe('Feature gates of the kubelet.'),
  })
  .describe("The kubelet's configuration, on all hosts.");

/** kubeproxy.config.k8s.io/v1alpha1 KubeProxyConfiguration, as a user writes it. */
export const kubeProxyConfiguration = z
  .strictObject({
    ...passedThrough(KUBE_PROXY_FIELDS),
    apiVersion: z.literal('kubeproxy.config.k8s.io/v1alpha1'),
    kind: z.literal('KubeProxyConfiguration'),
    mode: z
      .enum(['', 'iptables', 'ipvs', 'nftables', 'kernelspace'])
      .optional()
      .describe('Default iptables.'),
    featureGates: z.record(z.string(), z.boolean()).optional().describe('Feature gates of kube-proxy.'),
  })
  .describe("kube-proxy's configuration.");
