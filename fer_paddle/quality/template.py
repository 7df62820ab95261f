"""The page's HTML, for Jinja: bars and histograms are plain SVG and CSS."""

from __future__ import annotations

TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data quality: {{ title }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse }
td, th { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid #e4e4e4 }
td:first-child, th:first-child { text-align: left; overflow-wrap: anywhere }
.scroll { overflow-x: auto } .muted { color: #666 }
.bar { background: #3b76af; height: .9rem; min-width: 1px } .track { width: 16rem }
.plots, .groups { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0 }
.group { border: 1px solid #e4e4e4; border-radius: 6px; padding: .4rem; max-width: 100%; overflow-wrap: anywhere }
.group img { width: 72px; height: 72px; object-fit: contain; background: #f3f3f3; image-rendering: pixelated }
.group p { margin: .2rem 0 0; font-size: .8rem; max-width: 20rem } summary { cursor: pointer }
svg { background: #fafafa; border: 1px solid #e4e4e4 } rect { fill: #3b76af }
line { stroke: #c33; stroke-dasharray: 4 3 }
</style>
</head>
<body>
<h1>Data quality: {{ title }}</h1>
<p>{{ figures.pictures }} pictures, {{ figures.unreadable_files }} files that cannot be read.</p>

<h2>Findings</h2>
<table><tr><th>finding</th><th>groups</th><th>pictures</th></tr>
{% for one in findings %}
<tr><td>{% if one.groups %}<a href="#f{{ loop.index }}">{{ one.title }}</a>{% else %}{{ one.title }}{% endif %}</td>
<td>{{ one.num_groups }}</td><td>{{ one.num_pictures }}</td></tr>
{% endfor %}
</table>

<h2>Classes</h2>
<table>
{% for bar in class_bars %}
<tr><td>{{ bar.name }}</td><td>{{ bar.count }}</td>
<td class="track"><div class="bar" style="width: {{ '%.1f' % (100 * bar.share) }}%"></div></td></tr>
{% endfor %}
</table>
<p class="muted">
{% if figures.classes.imbalance %}
The largest class has {{ '%.1f' % figures.classes.imbalance }} times the pictures of the smallest.
{% endif %}
{% if figures.classes.missing %}
No picture of {{ figures.classes.missing | join(', ') }}.
{% endif %}
</p>
<div class="scroll"><table><tr><th>split</th>
{% for bar in class_bars %}
<th>{{ bar.name }}</th>
{% endfor %}
</tr>
{% for split, counts in figures.classes.by_split.items() %}
<tr><td>{{ split or 'undivided' }}</td>
{% for bar in class_bars %}
<td>{{ counts[bar.name] }}</td>
{% endfor %}
</tr>
{% endfor %}
</table></div>

<h2>Sizes</h2>
<table><tr><th>width x height</th><th>pictures</th></tr>
{% for size in figures.sizes.most %}
<tr><td>{{ size.width }} x {{ size.height }}</td><td>{{ size.pictures }}</td></tr>
{% endfor %}
</table>
<p class="muted">{{ figures.sizes.different }} {{ "size" if figures.sizes.different == 1 else "different sizes" }}.</p>

<h2>Light and sharpness</h2>
<div class="plots">
{% for plot in histograms %}
<figure><figcaption>{{ plot.name }}, 0 to {{ '%.3g' % plot.end }}</figcaption>
<svg width="300" height="120" viewBox="0 0 400 100" preserveAspectRatio="none" role="img">
{% for bar in plot.bars %}
<rect x="{{ 10 * loop.index0 }}" y="{{ '%.2f' % (100 - bar.height) }}" width="9" height="{{ '%.2f' % bar.height }}">\
<title>{{ '%.3f' % bar.from }} to {{ '%.3f' % bar.to }}: {{ bar.count }} pictures</title></rect>
{% endfor %}
{% for value, x in plot.bounds %}
<line x1="{{ '%.1f' % x }}" x2="{{ '%.1f' % x }}" y1="0" y2="100"><title>bound {{ value }}</title></line>
{% endfor %}
</svg></figure>
{% endfor %}
</div>

<h2>Copies</h2>
<table><tr><th></th><th>exact</th><th>exact and near</th></tr>
<tr><td>groups</td><td>{{ figures.copies.exact.groups }}</td><td>{{ figures.copies.near.groups }}</td></tr>
<tr><td>groups with two labels or more</td><td>{{ figures.copies.exact.groups_of_two_labels }}</td>
<td>{{ figures.copies.near.groups_of_two_labels }}</td></tr>
{% for split, count in figures.copies.exact.superfluous_in_split.items() %}
<tr><td>superfluous in {{ split or 'the set' }}</td><td>{{ count }}</td>
<td>{{ figures.copies.near.superfluous_in_split[split] }}</td></tr>
{% endfor %}
{% for pair, count in figures.copies.exact.across_splits.items() %}
<tr><td>{{ pair }}</td><td>{{ count }}</td><td>{{ figures.copies.near.across_splits[pair] }}</td></tr>
{% endfor %}
</table>

{% if figures.ferplus is defined %}
<h2>FER2013's labels against the votes of FER+</h2>
<p>Most voters chose the label of {{ figures.ferplus.agreement | percent }} of the pictures; eight of ten voters or more
agree on {{ figures.ferplus.sure | percent }}.</p>
<div class="scroll"><table><tr><th>label</th><th>agree</th>
{% for column in figures.ferplus.columns %}
<th>{{ column }}</th>
{% endfor %}
</tr>
{% for row in figures.ferplus.most_votes %}
{% set name = figures.classes.names[loop.index0] %}
{% set total = [row | sum, 1] | max %}
<tr><td>{{ name }}</td><td>{{ figures.ferplus.agreement_by_class[name] | percent }}</td>
{% for count in row %}
<td style="background: rgba(59, 118, 175, {{ '%.2f' % (count / total) }})">{{ count }}</td>
{% endfor %}
</tr>
{% endfor %}
</table></div>
{% endif %}

{% if figures.wrong_labels is defined and figures.wrong_labels.suspected is defined %}
<h2>How good the list of likely wrong labels is</h2>
<p>{{ figures.wrong_labels.suspected }} of {{ figures.wrong_labels.judged }} labels are suspected. The judge, which
never saw the picture it judges, gives the label that stands there for
{{ figures.wrong_labels.accuracy_of_the_judge | percent }}.
{% if figures.wrong_labels.crowd_contradicts_all is defined %}
The crowd of FER+ contradicts {{ figures.wrong_labels.crowd_contradicts_all | percent }} of all labels,
{{ figures.wrong_labels.crowd_contradicts_suspects | percent }} of the suspected and
{{ figures.wrong_labels.crowd_contradicts_first_500 | percent }} of the first 500.
{% endif %}
</p>
{% endif %}

{% for one in findings %}
{% if one.groups %}
<h2 id="f{{ loop.index }}">{{ one.title }}</h2>
<p class="muted">{{ one.num_pictures }} picture{{ "s" if one.num_pictures != 1 }} in
{{ one.num_groups }} group{{ "s" if one.num_groups != 1 }}\
{% if one.num_groups > one.groups | length %}, \
the first {{ one.groups | length }} shown{% endif %}. {{ one.advice }}.</p>
<div class="groups">
{% for group in one.groups %}
<div class="group">
{% for picture in group.pictures %}
<img src="{{ picture.data }}" alt="{{ picture.name }}" title="{{ picture.name }}">
{% endfor %}
<p>{{ group.note }}</p><p class="muted">{{ group.pictures[0].name }}</p></div>
{% endfor %}
</div>
{% endif %}
{% endfor %}

{% if unreadable %}
<h2>Files that cannot be read</h2>
<table><tr><th>file</th><th>reason</th></tr>
{% for name, reason in unreadable %}
<tr><td>{{ name }}</td><td>{{ reason }}</td></tr>
{% endfor %}
</table>
{% endif %}
</body>
</html>
"""
