/** The gallery in a notebook: tabs, concepts, pages; follows the state of the Python side and tells it what the reader chose. */
const COLOURS = { matched: '#0b7a65', missing: '#b04d05', extra: '#6f3bd1', ignored: '#646b76', below: '#70767f' };
const MARKS = { matched: '✓', missing: '+', extra: '−', ignored: '○', below: '·' };

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function box(item) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', item.frame.join(' '));
  svg.setAttribute('style', 'position:absolute;inset:0;width:100%;height:100%');
  for (const [colour, width] of [['#0008', 4], [COLOURS[item.outcome], 2]]) {
    const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    const [x, y, wide, tall] = item.box;
    for (const [key, value] of Object.entries({ x, y, width: wide, height: tall, fill: 'none', stroke: colour, 'stroke-width': width, 'vector-effect': 'non-scaling-stroke', 'stroke-dasharray': item.outcome === 'extra' && width === 2 ? '5 4' : 'none' })) rect.setAttribute(key, String(value));
    svg.append(rect);
  }
  return svg;
}

function cell(item) {
  const picture = element('div', { style: 'position:relative;height:132px;background:#8882' });
  if (item.picture) picture.append(element('img', { src: item.picture, alt: '', style: 'width:132px;height:132px;object-fit:contain;display:block' }));
  if (item.box && item.frame) picture.append(box(item));
  const caption = element('figcaption', { style: 'white-space:nowrap;overflow:hidden;text-overflow:ellipsis' }, `${item.score === null ? '' : item.score.toFixed(3)} ${item.concept} `, element('b', { style: `color:${COLOURS[item.outcome]}` }, MARKS[item.outcome]));
  return element('figure', { title: item.image, style: 'width:132px;margin:0' }, picture, caption);
}

/** The page that stands in for the widget where no kernel runs. */
function hideStaticCopy(model) {
  for (const copy of document.querySelectorAll(`.${model.get('static_copy')}`)) copy.style.display = 'none';
}

function render({ model, el }) {
  const draw = () => {
    const [tab, concept, offset, total, page] = ['tab', 'concept', 'offset', 'total', 'page'].map((name) => model.get(name));
    const ask = (content) => model.send({ tab, concept, offset: 0, ...content });
    const tabs = element('span', { role: 'tablist' }, ...model.get('tabs').map((name) => element('button', { role: 'tab', 'aria-selected': String(name === tab), style: `font-weight:${name === tab ? 700 : 400}`, onclick: () => ask({ tab: name }) }, name)));
    const concepts = element('select', { 'aria-label': 'Concept', onchange: (event) => ask({ concept: event.target.value }) }, ...['', ...model.get('concepts')].map((name) => element('option', { value: name, ...(name === concept ? { selected: '' } : {}) }, name || 'all concepts')));
    const back = element('button', { 'aria-label': 'Previous page', ...(offset ? {} : { disabled: '' }), onclick: () => ask({ offset: Math.max(0, offset - page) }) }, '←');
    const on = element('button', { 'aria-label': 'Next page', ...(offset + page < total ? {} : { disabled: '' }), onclick: () => ask({ offset: offset + page }) }, '→');
    const where = element('span', {}, total ? `${(offset + 1).toLocaleString()} to ${Math.min(total, offset + page).toLocaleString()} of ${total.toLocaleString()}` : 'nothing here');
    el.replaceChildren(
      element('div', { style: 'display:flex;flex-wrap:wrap;gap:8px;align-items:center;font:12px system-ui,sans-serif;margin:4px 0' }, element('b', {}, model.get('title')), tabs, concepts, back, where, on),
      element('div', { style: 'display:flex;flex-wrap:wrap;gap:6px;font:12px system-ui,sans-serif' }, ...model.get('items').map(cell)),
    );
  };
  hideStaticCopy(model);
  model.on('change:items', draw);
  model.on('change:total', draw);
  draw();
  return () => {
    model.off('change:items', draw);
    model.off('change:total', draw);
  };
}

export default { render };
