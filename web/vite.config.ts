import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

const OUTPUT = '../src/pellucid/static';

/** Mode `export`: the page as one script, for the HTML export, which is opened without a server. */
export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  base: './',
  build: {
    outDir: mode === 'export' ? `${OUTPUT}/export` : OUTPUT,
    emptyOutDir: true,
    target: 'es2022',
    rolldownOptions: mode === 'export' ? { output: { codeSplitting: false } } : {},
  },
  server: { proxy: { '/api': 'http://127.0.0.1:7860', '/pictures': 'http://127.0.0.1:7860' } },
}));
