/** Next as it comes, with this folder as its root; the policy is what the test asks for. */
const nextConfig = {
  turbopack: { root: import.meta.dirname },
  async headers() {
    const value = process.env.CONTENT_SECURITY_POLICY ?? "default-src *";
    return [{ source: "/:path*", headers: [{ key: "content-security-policy", value }] }];
  },
};

export default nextConfig;
