import { mount } from 'svelte';
import App from './App.svelte';
import './layout/page.css';

export default mount(App, { target: document.getElementById('page')! });
