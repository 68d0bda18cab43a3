import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const backend = process.env.AWASE_BACKEND ?? 'http://127.0.0.1:8765';

export default defineConfig({
  plugins: [react()],
  server: {
    host: '127.0.0.1',
    proxy: { '/api': { target: backend, changeOrigin: false } },
    // The catalogue lives beside the pages, one directory up.
    fs: { allow: ['..'] },
  },
  build: {
    target: 'es2022',
    // An inlined asset is a data: URL, which the content security policy does not allow for scripts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1600,
    modulePreload: { polyfill: false },
  },
});
